//! Client addresses as they are counted.
use std::net::{IpAddr, Ipv6Addr};

/// Returns the address that `address` is counted as: itself for IPv4, the first of its /64 for IPv6.
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(all) => Ipv6Addr::from_bits(all.to_bits() >> 64 << 64).into(),
        v4 @ IpAddr::V4(_) => v4,
    }
}
