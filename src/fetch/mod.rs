//! Requests that this server makes to addresses that others chose: keys and documents of clients, and word to them.
//!
//! Promises (V-069). It connects to public addresses only, unless the operator says otherwise: names are resolved here,
//! and what is connected to is what was looked at, so that a name whose answer changes in between does not help. It
//! follows no redirect, uses no proxy, takes two seconds and 64 KiB at most, and fails with the same error whatever the
//! cause, which is in the log alone.

mod address;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use reqwest::{
    Certificate, Client, RequestBuilder, Response,
    dns::{Addrs, Name, Resolve, Resolving},
    redirect::Policy,
};
use url::{Host, Url};

use self::address::is_public;

/// How long everything may take, names and bodies included.
const PATIENCE: Duration = Duration::from_secs(2);
/// How much of an answer is read.
const LONGEST: usize = 64 * 1024;

/// See the module.
#[derive(Clone)]
pub struct Fetcher {
    http: Client,
    private: bool,
}

/// There was no usable answer. Does not say why.
#[derive(Debug, thiserror::Error)]
#[error("it cannot be fetched")]
pub struct Unreachable;

/// The certificates of [`Fetcher::new`] cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the certificates of `DEODAR_FETCH_CA` cannot be used")]
pub struct BadCertificates(#[from] reqwest::Error);

impl Fetcher {
    /// `private`: whether addresses that are not public may be connected to. `roots` is a PEM file of authorities that
    /// are believed besides Mozilla's.
    pub fn new(private: bool, roots: Option<&[u8]>) -> Result<Self, BadCertificates> {
        let client = Client::builder()
            .no_proxy()
            .redirect(Policy::none())
            .referer(false)
            .user_agent("deodar")
            .timeout(PATIENCE)
            .pool_max_idle_per_host(0)
            .dns_resolver(Arc::new(Resolver { private }));
        let roots = roots.map(Certificate::from_pem_bundle).transpose()?.unwrap_or_default();
        let client = roots.into_iter().fold(client, |client, root| client.add_root_certificate(root));
        Ok(Self { http: client.build()?, private })
    }

    /// The body of a document.
    ///
    /// # Errors
    /// Anything but a short answer of status 200 in time.
    pub async fn get(&self, url: &str) -> Result<Vec<u8>, Unreachable> {
        let url = admitted(url, self.private)?;
        let request = self.http.get(url.clone()).header("accept", "application/json");
        self.within(&url, async {
            let mut response = send(request).await?;
            if response.status() != 200 {
                return Err(format!("status {}", response.status()));
            }
            let mut body = Vec::new();
            while let Some(chunk) = response.chunk().await.map_err(told)? {
                if body.len() + chunk.len() > LONGEST {
                    return Err("the answer is too long".to_owned());
                }
                body.extend_from_slice(&chunk);
            }
            Ok(body)
        })
        .await
    }

    /// Sends a form, and gives the status of the answer. Its body is not read.
    ///
    /// # Errors
    /// There was no answer in time.
    pub async fn post_form(&self, url: &str, form: &[(&str, &str)]) -> Result<u16, Unreachable> {
        let url = admitted(url, self.private)?;
        let request = self.http.post(url.clone()).form(form);
        self.within(&url, async { Ok(send(request).await?.status().as_u16()) }).await
    }

    async fn within<T>(&self, url: &Url, work: impl Future<Output = Result<T, String>>) -> Result<T, Unreachable> {
        let done = tokio::time::timeout(PATIENCE, work).await.unwrap_or_else(|_| Err("no answer in time".to_owned()));
        done.map_err(|reason| {
            tracing::debug!(host = url.host_str(), reason, "another server could not be asked");
            Unreachable
        })
    }
}

/// What may be asked for at all: `https`, and plain `http` only where it leaves no machine.
fn admitted(url: &str, private: bool) -> Result<Url, Unreachable> {
    let url = Url::parse(url).map_err(|_| Unreachable)?;
    let (literal, loopback) = match url.host() {
        Some(Host::Ipv4(address)) => (Some(address.into()), address.is_loopback()),
        Some(Host::Ipv6(address)) => (Some(address.into()), address.is_loopback()),
        Some(Host::Domain(_)) => (None, false),
        None => return Err(Unreachable),
    };
    let reachable = private || literal.is_none_or(is_public);
    let protected = url.scheme() == "https" || (url.scheme() == "http" && loopback && private);
    let plain = url.username().is_empty() && url.password().is_none();
    if reachable && protected && plain { Ok(url) } else { Err(Unreachable) }
}

async fn send(request: RequestBuilder) -> Result<Response, String> {
    request.send().await.map_err(told)
}

fn told(error: reqwest::Error) -> String {
    let chain = std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source());
    chain.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// Resolves names as the system does, and leaves out what may not be connected to.
struct Resolver {
    private: bool,
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let private = self.private;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let usable: Vec<SocketAddr> = found.filter(|address| private || is_public(address.ip())).collect();
            if usable.is_empty() {
                return Err("the name has no public address".into());
            }
            Ok(Box::new(usable.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// V-069: before anything is connected to.
    #[test]
    fn what_is_not_public_is_not_asked() {
        for url in [
            "https://127.0.0.1/",
            "https://127.1/",
            "https://2130706433/",
            "https://0x7f000001/",
            "https://0177.0.0.1/",
            "https://127.0.0.1./",
            "https://0/",
            "https://[::1]/",
            "https://[::]/",
            "https://[::ffff:127.0.0.1]/",
            "https://[::ffff:7f00:1]/",
            "https://169.254.169.254/latest/meta-data/",
            "https://10.0.0.1/",
            "https://192.168.0.1:8443/",
            "https://[fc00::1]/",
            "https://[fe80::1]/",
            "http://127.0.0.1/",
            "http://93.184.215.14/",
            "http://shop.test/",
            "https://user@shop.test/",
            "https://:password@shop.test/",
            "file:///etc/passwd",
            "ftp://shop.test/",
            "gopher://shop.test/",
            "data:application/json,{}",
            "unix:/run/x",
            "/x",
            "",
        ] {
            assert!(admitted(url, false).is_err(), "{url}");
        }
        for url in ["https://shop.test/x?y", "https://93.184.215.14:8443/", "https://[2606:4700::1]/"] {
            assert!(admitted(url, false).is_ok(), "{url}");
        }
        for url in ["https://10.0.0.1/", "https://localhost/", "http://127.0.0.1:80/", "http://[::1]/"] {
            assert!(admitted(url, true).is_ok(), "{url}");
        }
        for url in ["http://10.0.0.1/", "http://localhost/", "http://shop.test/", "file:///etc/passwd"] {
            assert!(admitted(url, true).is_err(), "{url}");
        }
    }

    /// V-069: a name is worth what it resolves to at the moment of the connection.
    #[tokio::test]
    async fn a_name_of_this_machine_is_not_connected_to() {
        let name = || "localhost".parse().unwrap();
        assert!(Resolver { private: false }.resolve(name()).await.is_err());
        let found = Resolver { private: true }.resolve(name()).await.ok().unwrap();
        assert!(found.into_iter().all(|address| address.ip().is_loopback()));
    }
}
