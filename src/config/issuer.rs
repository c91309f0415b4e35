//! The issuer: the name of this server in every token, and the base of all its URLs.

use std::fmt;

use url::{Host, Url};

use super::fault::shown;

/// An issuer identifier. Clients compare it byte by byte, so the text is kept as it was written (less a slash at the
/// end) and only the one canonical spelling of a URL is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issuer {
    text: String,
    origin: String,
}

impl Issuer {
    /// Reads an issuer.
    ///
    /// # Errors
    /// What to write instead, when the text is not an `https` URL (`http` for this machine itself) without user,
    /// query and fragment.
    pub fn parse(text: &str) -> Result<Self, String> {
        let url = Url::parse(text)
            .map_err(|why| format!("{} is not a URL ({why}); write one as `https://host`", told(text)))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err("has a user or a password in it; write the URL without what stands before the `@`".to_owned());
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(format!("{} has a query or a fragment; write `{}`", told(text), bare(&url)));
        }
        match url.scheme() {
            "https" => {}
            "http" if is_loopback(&url) => {}
            "http" => {
                return Err(format!(
                    "{} is not protected; write `https://`, because `http://` is only for `localhost` and `127.0.0.1`",
                    told(text)
                ));
            }
            _ => {
                return Err(format!("{} is not a web address; write one as `https://host`", told(text)));
            }
        }
        let canonical = bare(&url);
        let text = text.trim_end_matches('/');
        if text != canonical {
            return Err(format!("{} can be spelt in several ways; write `{canonical}`", told(text)));
        }
        Ok(Self { text: canonical, origin: url.origin().ascii_serialization() })
    }

    /// The exact text that tokens and metadata carry; without a slash at the end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Scheme, host and port, as browsers send it in `Origin`.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// What follows the host; empty, or begins with a slash and ends without.
    #[must_use]
    pub fn path(&self) -> &str {
        self.text.get(self.origin.len()..).unwrap_or_default()
    }

    /// Host and port, as people know the server.
    #[must_use]
    pub fn host(&self) -> &str {
        self.origin.split_once("://").map_or("", |(_, host)| host)
    }

    /// Whether browsers reach the server over TLS, so that cookies can be `Secure`.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.text.starts_with("https:")
    }
}

impl fmt::Display for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

/// The canonical spelling without query, fragment and final slash.
fn bare(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    url.as_str().trim_end_matches('/').to_owned()
}

/// The value as messages show it: not when a password may be in it.
fn told(text: &str) -> String {
    if text.contains('@') { "the value".to_owned() } else { shown(text) }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exact_text_is_kept_without_its_final_slash() {
        for (text, kept, origin) in [
            ("https://id.shop.test", "https://id.shop.test", "https://id.shop.test"),
            ("https://id.shop.test/", "https://id.shop.test", "https://id.shop.test"),
            ("https://shop.test:8443/id/", "https://shop.test:8443/id", "https://shop.test:8443"),
            ("http://localhost:8080", "http://localhost:8080", "http://localhost:8080"),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("http://[::1]:8080", "http://[::1]:8080", "http://[::1]:8080"),
        ] {
            let issuer = Issuer::parse(text).unwrap();
            assert_eq!((issuer.as_str(), issuer.origin()), (kept, origin));
        }
    }

    #[test]
    fn what_is_refused_says_what_to_write() {
        for (text, told) in [
            ("shop", "write one as `https://host`"),
            ("ftp://shop.test", "write one as `https://host`"),
            ("http://shop.test", "write `https://`"),
            ("http://localhost.shop.test", "write `https://`"),
            ("https://shop.test/?a=1", "write `https://shop.test`"),
            ("https://shop.test/id#top", "write `https://shop.test/id`"),
            ("https://ana:hunter2@shop.test", "without what stands before the `@`"),
            ("https://Shop.test", "write `https://shop.test`"),
            ("https://shop.test:443", "write `https://shop.test`"),
            ("https://shop.test/a/../b", "write `https://shop.test/b`"),
            ("https://ana:hunter2@", "write one as"),
            ("mailto:ana:hunter2@shop.test", "write one as"),
        ] {
            let message = Issuer::parse(text).unwrap_err();
            assert!(message.contains(told) && !message.contains("hunter2"), "{text}: {message}");
        }
    }
}
