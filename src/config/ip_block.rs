//! Blocks of IP addresses, for the list of proxies that are believed.

use std::fmt;
use std::net::IpAddr;

use super::fault::shown;

/// One address, or all that share a prefix (`10.0.0.0/8`).
///
/// An IPv4 address inside IPv6 (`::ffff:10.0.0.1`) is that IPv4 address, on both sides: a socket that serves both
/// families reports it so. Hence `::/0` is all of IPv6 and none of IPv4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IpBlock {
    network: IpAddr,
    prefix: u32,
}

impl IpBlock {
    /// Reads `10.0.0.1`, `10.0.0.0/8`, `fd00::1` or `fd00::/8`.
    ///
    /// # Errors
    /// What to write instead. Bits after the prefix are refused: such a block means more than it seems to.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("{} is not an address or a block; write one as `10.0.0.1` or `10.0.0.0/8`", shown(text));
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let written: IpAddr = address.parse().map_err(|_| wrong())?;
        let longest = width(written);
        let prefix = match prefix {
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => digits.parse().map_err(|_| wrong())?,
            Some(_) => return Err(wrong()),
            None => longest,
        };
        if prefix > longest {
            return Err(format!("{} has too long a prefix; write `/{longest}` at most", shown(text)));
        }
        let mut block = Self { network: written, prefix };
        let canonical = written.to_canonical();
        // Below /96 the block is more than the IPv4 addresses, so it stays an IPv6 one.
        if canonical.is_ipv4() && written.is_ipv6() && prefix >= 96 {
            block = Self { network: canonical, prefix: prefix - 96 };
        }
        let first = block.first();
        if first != block.network {
            return Err(format!(
                "{} has bits after its prefix; write `{first}/{}` or `{}`",
                shown(text),
                block.prefix,
                block.network
            ));
        }
        Ok(block)
    }

    /// Whether `address` is in the block.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.network.is_ipv4() && (bits(address) ^ bits(self.network)) & mask(self.prefix) == 0
    }

    fn first(&self) -> IpAddr {
        let first = bits(self.network) & mask(self.prefix);
        match self.network {
            IpAddr::V4(_) => IpAddr::V4(((first >> 96) as u32).into()),
            IpAddr::V6(_) => IpAddr::V6(first.into()),
        }
    }
}

impl fmt::Display for IpBlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.network, self.prefix)
    }
}

fn width(address: IpAddr) -> u32 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// The address from the highest bit on, so that one mask serves both families.
fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_bits()) << 96,
        IpAddr::V6(address) => address.to_bits(),
    }
}

fn mask(prefix: u32) -> u128 {
    u128::MAX.checked_shl(128 - prefix).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_contains_what_shares_its_prefix() {
        for (block, inside, outside) in [
            ("10.0.0.0/8", "10.255.255.255", "11.0.0.0"),
            ("10.0.0.1", "10.0.0.1", "10.0.0.2"),
            ("192.168.4.0/22", "192.168.7.255", "192.168.8.0"),
            ("10.0.0.0/8", "::ffff:10.1.2.3", "::ffff:11.1.2.3"),
            ("::ffff:10.0.0.0/104", "10.1.2.3", "11.1.2.3"),
            ("::ffff:10.0.0.1", "10.0.0.1", "10.0.0.2"),
            ("0.0.0.0/0", "203.0.113.9", "2001:db8::1"),
            ("::/0", "2001:db8::1", "203.0.113.9"),
            ("fd00::/8", "fdff::1", "fe00::1"),
            ("::1", "::1", "::2"),
        ] {
            let parsed = IpBlock::parse(block).unwrap();
            assert!(parsed.contains(inside.parse().unwrap()), "{block} {inside}");
            assert!(!parsed.contains(outside.parse().unwrap()), "{block} {outside}");
        }
    }

    #[test]
    fn what_is_refused_says_what_to_write() {
        for (text, told) in [
            ("proxy", "write one as"),
            ("10.0.0.0/", "write one as"),
            ("10.0.0.0/+8", "write one as"),
            ("10.0.0.0/33", "write `/32` at most"),
            ("fd00::/129", "write `/128` at most"),
            ("10.0.0.1/8", "write `10.0.0.0/8` or `10.0.0.1`"),
        ] {
            let message = IpBlock::parse(text).unwrap_err();
            assert!(message.contains(told), "{text}: {message}");
        }
    }
}
