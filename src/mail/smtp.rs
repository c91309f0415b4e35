//! A mail server (RFC 5321), always over TLS unless it is on this machine.
//!
//! Why not `lettre`'s own transport and pool: its timeout covers connecting alone, and a connection on which waiting was
//! given up goes back into its pool, where the next mail would take the late answers for its own. Here a connection
//! on which anything went wrong is dropped.

use std::time::Duration;

use lettre::{
    Address, Message as Mime,
    message::{
        Mailbox as Sender, MultiPart,
        header::{HeaderName, HeaderValue},
    },
    transport::smtp::{
        Error as SmtpError,
        authentication::{Credentials, DEFAULT_MECHANISMS},
        client::{AsyncSmtpConnection, TlsParameters},
        extension::ClientId,
    },
};
use percent_encoding::percent_decode_str;
use url::{Host, Url};

use super::{Letter, SendError};

/// How long connecting may take, with TLS and signing in.
const CONNECT: Duration = Duration::from_secs(10);
/// How long the server may think about one mail.
const SEND: Duration = Duration::from_secs(30);
/// How long is waited for a goodbye.
const QUIT: Duration = Duration::from_secs(1);

/// How to reach a mail server, and who writes.
pub struct Relay {
    host: String,
    port: u16,
    security: Security,
    credentials: Option<Credentials>,
    hello: ClientId,
    from: Sender,
}

enum Security {
    /// TLS from the first byte (RFC 8314 §3.3).
    Wrapped(TlsParameters),
    /// STARTTLS (RFC 3207); a server that does not offer it gets neither password nor mail.
    Upgraded(TlsParameters),
    /// None, on this machine.
    Loopback,
}

/// The mail server cannot be used as it is configured.
#[derive(Debug, thiserror::Error)]
pub enum BadServer {
    /// The URL.
    #[error("`SMTP_URL` does not name a mail server; write one as `smtps://user:password@host` or `smtp://host:587`")]
    Url,
    /// TLS.
    #[error("TLS cannot be set up for the mail server")]
    Tls(#[from] SmtpError),
}

/// Zero or one connection.
pub(super) struct Connection<'a> {
    relay: &'a Relay,
    open: Option<Box<AsyncSmtpConnection>>,
}

impl Relay {
    /// Reads `SMTP_URL`; `from` writes.
    ///
    /// # Errors
    /// When there is no host in the URL, or its user or password are not text.
    pub fn new(url: &str, from: Sender) -> Result<Self, BadServer> {
        let url = Url::parse(url).map_err(|_| BadServer::Url)?;
        let (host, loopback) = match url.host() {
            // Hosts of schemes that are not the web's are never read as IPv4 addresses.
            Some(Host::Domain(name)) => {
                let here = name.parse::<std::net::Ipv4Addr>().is_ok_and(|address| address.is_loopback());
                (name.to_owned(), here || name == "localhost")
            }
            Some(Host::Ipv4(address)) => (address.to_string(), address.is_loopback()),
            Some(Host::Ipv6(address)) => (address.to_string(), address.is_loopback()),
            None => return Err(BadServer::Url),
        };
        let (security, port) = match url.scheme() {
            "smtps" => (Security::Wrapped(TlsParameters::new(host.clone())?), 465),
            _ if loopback => (Security::Loopback, 587),
            _ => (Security::Upgraded(TlsParameters::new(host.clone())?), 587),
        };
        let decoded = |text: &str| percent_decode_str(text).decode_utf8().map(String::from).map_err(|_| BadServer::Url);
        let credentials = match url.password() {
            Some(password) => Some(Credentials::new(decoded(url.username())?, decoded(password)?)),
            None => None,
        };
        let port = url.port().unwrap_or(port);
        Ok(Self { host, port, security, credentials, hello: ClientId::default(), from })
    }

    pub(super) fn connection(&self) -> Connection<'_> {
        Connection { relay: self, open: None }
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, SmtpError> {
        let wrapped = if let Security::Wrapped(tls) = &self.security { Some(tls.clone()) } else { None };
        let server = (self.host.as_str(), self.port);
        let mut open = AsyncSmtpConnection::connect_tokio1(server, None, &self.hello, wrapped, None).await?;
        if let Security::Upgraded(tls) = &self.security {
            open.starttls(tls.clone(), &self.hello).await?;
        }
        if let Some(credentials) = &self.credentials {
            open.auth(DEFAULT_MECHANISMS, credentials).await?;
        }
        Ok(open)
    }

    /// The same bytes at every attempt but for the boundary between text and HTML.
    fn mime(&self, letter: &Letter) -> Result<Mime, Box<dyn std::error::Error + Send + Sync>> {
        let to: Address = letter.to.parse()?;
        // Keeps autoresponders silent (RFC 3834 §5).
        let automatic = HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".to_owned());
        let mime = Mime::builder()
            .from(self.from.clone())
            .to(to.into())
            .subject(letter.subject.as_str())
            .date(letter.written_at.into())
            .message_id(Some(format!("<{}@{}>", letter.id, self.from.email.domain())))
            .raw_header(automatic)
            .multipart(MultiPart::alternative_plain_html(letter.text.clone(), letter.html.clone()))?;
        Ok(mime)
    }
}

impl Connection<'_> {
    pub(super) async fn send(&mut self, letter: &Letter) -> Result<(), SendError> {
        let mime = self.relay.mime(letter).map_err(SendError::Permanent)?;
        let mut open = match self.open.take() {
            Some(open) => open,
            // Also a refusal: a wrong password says nothing about the mail.
            None => Box::new(within(CONNECT, self.relay.connect()).await?.map_err(unreachable)?),
        };
        match within(SEND, open.send(mime.envelope(), &mime.formatted())).await? {
            Ok(_) => {
                self.open = Some(open);
                Ok(())
            }
            Err(error) if error.is_permanent() || error.is_client() => Err(SendError::Permanent(error.into())),
            Err(error) if error.is_transient() => Err(SendError::Temporary(error.into())),
            Err(error) => Err(unreachable(error)),
        }
    }

    pub(super) async fn close(self) {
        if let Some(mut open) = self.open {
            let _ = tokio::time::timeout(QUIT, open.quit()).await;
        }
    }
}

async fn within<T>(patience: Duration, work: impl Future<Output = T>) -> Result<T, SendError> {
    tokio::time::timeout(patience, work).await.map_err(|elapsed| SendError::Unreachable(elapsed.into()))
}

fn unreachable(error: SmtpError) -> SendError {
    SendError::Unreachable(error.into())
}
