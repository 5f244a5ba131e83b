//! Which addresses are public: those that anybody can reach, and behind which nothing stands that trusts whoever asks from here.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Networks of IPv4 that are not public, of the registry of IANA for special purposes; multicast and reserved ones too.
const NOT_PUBLIC_V4: [([u8; 4], u32); 16] = [
    ([0, 0, 0, 0], 8),
    ([10, 0, 0, 0], 8),
    ([100, 64, 0, 0], 10),
    ([127, 0, 0, 0], 8),
    // Where clouds tell machines who they are, and what they may.
    ([169, 254, 0, 0], 16),
    ([172, 16, 0, 0], 12),
    ([192, 0, 0, 0], 24),
    ([192, 0, 2, 0], 24),
    ([192, 31, 196, 0], 24),
    ([192, 52, 193, 0], 24),
    ([192, 88, 99, 0], 24),
    ([192, 168, 0, 0], 16),
    ([198, 18, 0, 0], 15),
    ([198, 51, 100, 0], 24),
    ([203, 0, 113, 0], 24),
    ([224, 0, 0, 0], 3),
];

/// The one network of IPv6 that is given out to the public.
const PUBLIC_V6: (u128, u32) = (0x2000 << 112, 3);

/// Networks in it that are not public, or lead to addresses of IPv4 that may not be.
const NOT_PUBLIC_V6: [(u128, u32); 4] = [
    // Special purposes, Teredo among them.
    (0x2001 << 112, 23),
    (0x2001_0db8 << 96, 32),
    // 6to4.
    (0x2002 << 112, 16),
    (0x3fff << 112, 20),
];

/// Whether an address is public.
pub(super) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(mapped) => is_public_v4(mapped),
            None => is_public_v6(address),
        },
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let bits = address.to_bits();
    let is_in = |(network, length): &([u8; 4], u32)| {
        (bits ^ u32::from_be_bytes(*network)) >> (u32::BITS - length) == 0
    };
    !NOT_PUBLIC_V4.iter().any(is_in)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let bits = address.to_bits();
    let is_in = |(network, length): &(u128, u32)| (bits ^ network) >> (u128::BITS - length) == 0;
    is_in(&PUBLIC_V6) && !NOT_PUBLIC_V6.iter().any(is_in)
}

/// A name stands for addresses none of which is public.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` has no public address")]
pub(super) struct NotPublic(String);

/// Whether an address may be used.
pub(super) type MayUse = fn(IpAddr) -> bool;

/// Finds the addresses of names, and leaves out those that may not be used: what is connected to is what was looked at.
#[derive(Debug)]
pub(super) struct Only(pub(super) MayUse);

impl Resolve for Only {
    fn resolve(&self, name: Name) -> Resolving {
        let may_use = self.0;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let public: Vec<SocketAddr> = found.filter(|address| may_use(address.ip())).collect();
            if public.is_empty() {
                return Err(NotPublic(name.as_str().to_owned()).into());
            }
            Ok(Box::new(public.into_iter()) as Addrs)
        })
    }
}

/// Whether that is why something failed.
pub(super) fn is_why(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        if error.is::<NotPublic>() || inner.is_some_and(|inner| inner.is::<NotPublic>()) {
            return true;
        }
        next = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_public_is_known_in_all_its_forms() {
        for address in [
            "127.0.0.1",
            "127.8.8.8",
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "169.254.169.254",
            "172.31.255.255",
            "192.168.0.1",
            "198.19.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "fe80::1",
            "fd00:ec2::254",
            "ff02::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
        ] {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
        for address in [
            "1.1.1.1",
            "8.8.8.8",
            "100.128.0.1",
            "172.32.0.1",
            "223.255.255.255",
            "2606:4700::1",
            "2a00:1450::1",
        ] {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
    }
}
