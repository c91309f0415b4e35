//! Where a request comes from, and how many of them are too many.

use std::net::{IpAddr, SocketAddr};

use axum::{
    extract::ConnectInfo,
    http::{Extensions, HeaderMap, Request},
};
use tower_governor::{GovernorError, key_extractor::KeyExtractor};

use crate::{config::IpBlock, model::Origin};

/// The address of the client: the first hop from the right of `X-Forwarded-For` that is no trusted proxy. The header
/// counts only when the peer itself is trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClientAddress(pub IpAddr);

impl ClientAddress {
    /// Reads it off a request.
    pub fn of<B>(request: &Request<B>, trusted: &[IpBlock]) -> Option<Self> {
        Self::read(request.extensions(), request.headers(), trusted)
    }

    /// Reads it off the parts of a request.
    pub fn read(extensions: &Extensions, headers: &HeaderMap, trusted: &[IpBlock]) -> Option<Self> {
        let peer = extensions.get::<ConnectInfo<SocketAddr>>()?.0.ip().to_canonical();
        let is_trusted = |ip: &IpAddr| trusted.iter().any(|block| block.contains(*ip));
        if !is_trusted(&peer) {
            return Some(Self(peer));
        }
        let lines = headers.get_all("x-forwarded-for").iter().filter_map(|line| line.to_str().ok());
        let hops: Vec<&str> = lines.flat_map(|line| line.split(',')).map(str::trim).collect();
        let parsed = hops.iter().rev().map_while(|hop| hop.parse::<IpAddr>().ok()).map(|ip| ip.to_canonical());
        let mut client = peer;
        for hop in parsed {
            client = hop;
            if !is_trusted(&hop) {
                break;
            }
        }
        Some(Self(client))
    }

    /// What shares one allowance: an IPv4 address, or an IPv6 /64, which one subscriber has whole.
    pub fn bucket(self) -> IpAddr {
        Origin::bucket(self.0)
    }
}

/// Counts token requests by address.
#[derive(Clone, Debug)]
pub struct TokenLimit {
    /// Proxies that may say where a request came from.
    pub trusted: Vec<IpBlock>,
}

impl KeyExtractor for TokenLimit {
    type Key = IpAddr;

    fn extract<B>(&self, request: &Request<B>) -> Result<IpAddr, GovernorError> {
        ClientAddress::of(request, &self.trusted).map(ClientAddress::bucket).ok_or(GovernorError::UnableToExtractKey)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(peer: &str, forwarded: &[&str]) -> Request<()> {
        let mut request = Request::builder();
        for line in forwarded {
            request = request.header("x-forwarded-for", *line);
        }
        let mut request = request.body(()).unwrap();
        request.extensions_mut().insert(ConnectInfo::<SocketAddr>(SocketAddr::new(peer.parse().unwrap(), 1)));
        request
    }

    /// V-066, V-067.
    #[test]
    fn only_trusted_proxies_say_where_a_request_came_from() {
        let trusted = [IpBlock::parse("10.0.0.0/8").unwrap()];
        let of = |peer: &str, forwarded: &[&str]| {
            ClientAddress::of(&request(peer, forwarded), &trusted).unwrap().bucket().to_string()
        };
        assert_eq!(of("9.9.9.9", &["1.2.3.4"]), "9.9.9.9");
        assert_eq!(of("10.0.0.1", &["6.6.6.6, 1.2.3.4, 10.0.0.7"]), "1.2.3.4");
        assert_eq!(of("10.0.0.1", &["6.6.6.6", "1.2.3.4"]), "1.2.3.4");
        assert_eq!(of("10.0.0.1", &["1.2.3.4, nonsense"]), "10.0.0.1");
        assert_eq!(of("::ffff:9.9.9.9", &[]), "9.9.9.9");
        assert_eq!(of("2001:db8::1", &[]), of("2001:db8::ffff:1", &[]));
    }
}
