//! Which addresses may be called.

use arc_swap::ArcSwap;
use ipnetwork::IpNetwork;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

/// Networks that are no place of the public internet, or that only look like one.
const CLOSED_V4: [(Ipv4Addr, u8); 17] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    // Shared between carriers and their customers; some clouds keep their metadata there.
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    // Link-local, with the metadata of most clouds.
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    // The agent of one cloud's machines.
    (Ipv4Addr::new(168, 63, 129, 16), 32),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 31, 196, 0), 24),
    // Relays from 6 to 4.
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];

/// Networks within 2000::/3 that are no place of the public internet; outside of it there is none.
const CLOSED_V6: [(Ipv6Addr, u8); 4] = [
    // Teredo, ORCHID, benchmarks.
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    // 6to4 carries any IPv4 address inside.
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];

/// The rule that every address is held against.
#[derive(Clone, Debug)]
pub struct Guard {
    /// Opened by the configuration.
    configured: Arc<[IpNetwork]>,
    /// Opened while the controller runs.
    opened: Arc<ArcSwap<Vec<IpNetwork>>>,
}

impl Guard {
    pub fn new(configured: &[IpNetwork]) -> Self {
        Self { configured: configured.into(), opened: Arc::default() }
    }

    /// Open these, and no others, besides those of the configuration.
    pub fn open(&self, networks: Vec<IpNetwork>) {
        self.opened.store(Arc::new(networks));
    }

    /// Whether the operator has opened any network of their own.
    pub fn has_own(&self) -> bool {
        !self.configured.is_empty() || !self.opened.load().is_empty()
    }

    /// In a network that the operator has opened.
    pub fn is_own(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let within = |networks: &[IpNetwork]| networks.iter().any(|network| network.contains(address));
        within(&self.configured) || within(&self.opened.load())
    }

    /// Public, or opened.
    pub fn admits(&self, address: IpAddr) -> bool {
        self.is_own(address) || is_public(address)
    }
}

/// Whether an address is one of the public internet, whatever form it comes in.
pub fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => !CLOSED_V4.iter().any(|(network, bits)| {
            let mask = u32::MAX << (32 - u32::from(*bits));
            address.to_bits() & mask == network.to_bits()
        }),
        IpAddr::V6(address) => match translated(address) {
            Some(inside) => is_public(IpAddr::V4(inside)),
            None => {
                let within = |network: Ipv6Addr, bits: u8| {
                    let mask = u128::MAX << (128 - u32::from(bits));
                    address.to_bits() & mask == network.to_bits()
                };
                within(Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3)
                    && !CLOSED_V6.iter().any(|(network, bits)| within(*network, *bits))
            }
        },
    }
}

/// The IPv4 address that a NAT64 gateway makes of it (64:ff9b::/96): machines without IPv4 reach all others that way.
fn translated(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [first, second, rest @ .., _, _] = address.segments();
    if (first, second) != (0x64, 0xff9b) || rest != [0; 4] {
        return None;
    }
    let [.., a, b, c, d] = address.octets();
    Some(Ipv4Addr::new(a, b, c, d))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_public_internet_is_public() {
        let public = |text: &str| is_public(text.parse().unwrap());
        for yes in [
            "1.1.1.1",
            "8.8.8.8",
            "100.63.255.255",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "198.20.0.1",
            "223.255.255.255",
            "2606:4700::1111",
            "2001:4860:4860::8888",
            "2a00:1450::1",
            "64:ff9b::1.1.1.1",
            "::ffff:1.1.1.1",
        ] {
            assert!(public(yes), "{yes}");
        }
        for no in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.100.100.200",
            "127.0.0.1",
            "127.255.255.254",
            "168.63.129.16",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.192",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::127.0.0.1",
            "64:ff9b::10.0.0.1",
            "64:ff9b:1::1.1.1.1",
            "100::1",
            "2001::1",
            "2001:2::1",
            "2001:db8::1",
            "2002:7f00:1::1",
            "2002:808:808::1",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "4000::1",
        ] {
            assert!(!public(no), "{no}");
        }
    }

    #[test]
    fn the_operator_opens_networks() {
        let guard = Guard::new(&["10.1.0.0/16".parse().unwrap(), "fd00::/64".parse().unwrap()]);
        let admits = |text: &str| guard.admits(text.parse().unwrap());
        assert!(admits("10.1.2.3") && admits("::ffff:10.1.2.3") && admits("fd00::7") && admits("1.1.1.1"));
        assert!(!admits("10.2.0.1") && !admits("fd00:1::1") && !admits("127.0.0.1"));
        assert!(guard.is_own("10.1.2.3".parse().unwrap()) && !guard.is_own("1.1.1.1".parse().unwrap()));
        let same = guard.clone();
        guard.open(vec!["10.2.0.0/16".parse().unwrap()]);
        assert!(same.admits("10.2.0.1".parse().unwrap()) && same.admits("10.1.2.3".parse().unwrap()));
        guard.open(Vec::new());
        assert!(!same.admits("10.2.0.1".parse().unwrap()) && same.has_own());
    }
}
