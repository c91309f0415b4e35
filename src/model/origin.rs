//! Where a request comes from.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::ClientId;

/// Where a request comes from, for throttling and for the record.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The address of the client, as far as proxies can be believed.
    pub address: IpAddr,
    /// `User-Agent`, shortened and without control characters.
    pub user_agent: String,
    /// Finds the log line.
    pub request_id: String,
    /// The application that asks for the person.
    pub client: Option<ClientId>,
    /// SHA-256 of the token that a browser keeps after its first login.
    pub device: Option<[u8; 32]>,
}

impl Origin {
    /// This machine itself: a command.
    pub fn local() -> Self {
        Self {
            address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            user_agent: "deodar".to_owned(),
            request_id: "-".to_owned(),
            client: None,
            device: None,
        }
    }

    /// What shares one allowance: an IPv4 address, or an IPv6 /64, which one subscriber has whole.
    pub fn bucket(address: IpAddr) -> IpAddr {
        match address.to_canonical() {
            IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64))),
            v4 => v4,
        }
    }
}
