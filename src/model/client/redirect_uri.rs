//! Redirect URIs: exact text, safe schemes.

/// Most characters of a URI.
const LONGEST: usize = 2048;

/// Whether a URI may be registered to be redirected to (RFC 9700 §2.6, RFC 8252 §7): `https`, or `http` on a loopback
/// address, or a private-use scheme. The error says what to write instead.
pub fn check(uri: &str) -> Result<(), &'static str> {
    let plain = uri.len() <= LONGEST && uri.bytes().all(|b| (0x21..=0x7e).contains(&b) && b != b'*' && b != b'\\');
    let url =
        url::Url::parse(uri).ok().filter(|_| plain).ok_or("not an absolute URI of at most 2048 ASCII characters")?;
    let loopback = matches!(url.host_str(), Some("127.0.0.1" | "[::1]"));
    match url.scheme() {
        "https" if url.has_host() && uri.starts_with("https://") => {}
        "http" if loopback && uri.starts_with("http://") => {}
        "http" if !loopback => return Err("`http` is for `127.0.0.1` and `[::1]` only: write `https`"),
        // Private-use schemes of native apps are reversed domain names (RFC 8252 §7.1).
        scheme if scheme.contains('.') => {}
        _ => return Err("write an `https` URI, or a private-use scheme with a dot in it"),
    }
    if uri.contains('#') {
        return Err("a redirect URI has no fragment");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("a redirect URI has no user information");
    }
    if url.query_pairs().any(|(key, _)| matches!(&*key, "code" | "state" | "iss" | "error")) {
        return Err("the query must not hold parameters of the answer (`code`, `state`, `iss`, `error`)");
    }
    Ok(())
}

/// Whether a URI may be shown as a link or fetched: `https` with a host, spelt out.
pub fn check_link(uri: &str) -> Result<url::Url, &'static str> {
    let plain = uri.len() <= LONGEST && uri.bytes().all(|b| (0x21..=0x7e).contains(&b) && b != b'\\');
    let url = url::Url::parse(uri).ok().filter(|_| plain);
    let nobody = |url: &url::Url| url.username().is_empty() && url.password().is_none();
    let safe = |url: &url::Url| uri.starts_with("https://") && url.has_host() && nobody(url);
    url.filter(safe).ok_or("write an `https` URI of at most 2048 ASCII characters")
}

/// Whether two loopback URIs are the same text but for the port.
pub fn same_but_port(known: &str, sent: &str) -> bool {
    match (without_port(known), without_port(sent)) {
        (Some(known), Some(sent)) => known == sent,
        _ => false,
    }
}

/// Host and everything behind the port of an `http` URI on a loopback address.
fn without_port(uri: &str) -> Option<(&'static str, &str)> {
    let hosts = ["http://127.0.0.1", "http://[::1]"];
    let (host, rest) = hosts.into_iter().find_map(|host| Some((host, uri.strip_prefix(host)?)))?;
    let rest = match rest.strip_prefix(':') {
        None => rest,
        Some(tail) => {
            let (port, rest) = tail.split_at(tail.find(|c: char| !c.is_ascii_digit()).unwrap_or(tail.len()));
            port.parse::<u16>().ok().filter(|port| *port > 0)?;
            rest
        }
    };
    (rest.is_empty() || rest.starts_with(['/', '?'])).then_some((host, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// N-009, N-010, V-001, V-005.
    #[test]
    fn only_the_port_of_a_loopback_address_is_free() {
        for (known, sent) in [
            ("http://127.0.0.1/cb", "http://127.0.0.1:49152/cb"),
            ("http://127.0.0.1:5000/cb", "http://127.0.0.1:49152/cb"),
            ("http://[::1]/cb?x=1", "http://[::1]:1/cb?x=1"),
            ("http://127.0.0.1", "http://127.0.0.1:65535"),
        ] {
            assert!(same_but_port(known, sent), "{sent}");
        }
        let known = "http://127.0.0.1/cb";
        for sent in [
            "http://127.0.0.1:1/cb/",
            "http://127.0.0.1:1/cb?x=1",
            "http://127.0.0.1:1/CB",
            "http://127.0.0.1:1/",
            "http://127.0.0.1:0/cb",
            "http://127.0.0.1:65536/cb",
            "http://127.0.0.1:/cb",
            "http://127.0.0.1:+1/cb",
            "http://127.0.0.1:1@evil.example/cb",
            "http://127.0.0.1@evil.example/cb",
            "http://127.0.0.1.evil.example/cb",
            "http://127.0.0.1:1.evil.example/cb",
            "http://localhost:1/cb",
            "http://127.0.0.2:1/cb",
            "http://[::1]:1/cb",
            "https://127.0.0.1:1/cb",
            "HTTP://127.0.0.1:1/cb",
            "http://127.1:1/cb",
        ] {
            assert!(!same_but_port(known, sent), "{sent}");
        }
        assert!(!same_but_port("https://a.example/cb", "https://a.example:444/cb"));
    }
}
