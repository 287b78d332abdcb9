//! The egress policy: which addresses a customer's server may have. The operator's, never a tenant's. Pure: every
//! address that anybody wants to reach passes [`EgressPolicy::check`], and only what passed may be dialled.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use ipnet::IpNet;

/// What `PURSIGHT_EGRESS_ALLOW` says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EgressPolicy {
    allowed: Vec<Allowance>,
    own: BTreeSet<SocketAddr>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Allowance {
    net: IpNet,
    port: Option<u16>,
}

/// An entry of the policy that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{entry:?} is neither an address nor a CIDR range, with or without a port (10.0.0.0/8, 10.1.2.3:5432, [fd00::/8]:5432)"
)]
pub struct PolicyError {
    /// The entry.
    pub entry: String,
}

/// Why an address is forbidden.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denial {
    /// Never reachable, whatever the policy says.
    Never(&'static str),
    /// Reachable when the policy names it.
    Unless(&'static str),
}

impl EgressPolicy {
    /// Public addresses only.
    pub fn public_only() -> Self {
        Self::default()
    }

    /// Reads the setting: entries separated by commas or blanks.
    ///
    /// # Errors
    /// Names the first entry that cannot be read.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        let entries = text.split([',', ' ', '\t', '\n']).filter(|entry| !entry.is_empty());
        let allowed = entries.map(str::parse).collect::<Result<_, _>>()?;
        Ok(Self { allowed, own: BTreeSet::new() })
    }

    /// The same policy that also refuses the installation's own services, whatever it allows.
    #[must_use]
    pub fn refusing(mut self, own: impl IntoIterator<Item = SocketAddr>) -> Self {
        self.own.extend(own);
        self
    }

    /// Whether `address` may be dialled.
    ///
    /// # Errors
    /// Why it may not.
    pub fn check(&self, address: SocketAddr) -> Result<(), Denial> {
        let ip = innermost(address.ip());
        if self.own.contains(&SocketAddr::new(ip, address.port())) {
            return Err(Denial::Never("a service of this installation"));
        }
        if let Some(kind) = never(ip) {
            return Err(Denial::Never(kind));
        }
        let Some(kind) = special(ip) else { return Ok(()) };
        let named = |rule: &Allowance| rule.net.contains(&ip) && rule.port.is_none_or(|port| port == address.port());
        if self.allowed.iter().any(named) { Ok(()) } else { Err(Denial::Unless(kind)) }
    }
}

/// The smallest range that would allow an address, as `PURSIGHT_EGRESS_ALLOW` wants it.
pub fn allowance_for(ip: IpAddr) -> String {
    match innermost(ip) {
        IpAddr::V4(v4) => format!("{v4}/32"),
        IpAddr::V6(v6) => format!("{v6}/128"),
    }
}

impl FromStr for Allowance {
    type Err = PolicyError;

    fn from_str(entry: &str) -> Result<Self, PolicyError> {
        let fault = || PolicyError { entry: entry.to_owned() };
        let (range, port) = if let Some(rest) = entry.strip_prefix('[') {
            let (range, rest) = rest.split_once(']').ok_or_else(fault)?;
            match rest.strip_prefix(':') {
                Some(port) => (range, Some(port)),
                None if rest.is_empty() => (range, None),
                None => return Err(fault()),
            }
        } else if entry.matches(':').count() == 1 {
            let (range, port) = entry.split_once(':').ok_or_else(fault)?;
            (range, Some(port))
        } else {
            (entry, None)
        };
        let port = port.map(|port| port.parse::<u16>().map_err(|_| fault())).transpose()?;
        let net = match range.parse::<IpNet>() {
            Ok(net) => net.trunc(),
            Err(_) => IpNet::from(range.parse::<IpAddr>().map_err(|_| fault())?),
        };
        Ok(Self { net, port })
    }
}

/// The address that is meant in the end: an IPv4 address inside an IPv6 one is judged as itself.
fn innermost(ip: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = ip else { return ip };
    match embedded(v6) {
        Some(v4) => IpAddr::V4(v4),
        None => ip,
    }
}

fn embedded(v6: Ipv6Addr) -> Option<Ipv4Addr> {
    let s = v6.segments();
    let low = Ipv4Addr::from((u32::from(s[6]) << 16) | u32::from(s[7]));
    match s {
        // IPv4-mapped, and the translated form of RFC 2765.
        [0, 0, 0, 0, 0, 0xffff, ..] | [0, 0, 0, 0, 0xffff, 0, ..] => Some(low),
        // IPv4-compatible; ::0 and ::1 are addresses of IPv6 itself.
        [0, 0, 0, 0, 0, 0, ..] if u32::from(low) > 1 => Some(low),
        // NAT64: the well-known prefix, and with it the local-use one, whose form the network chooses.
        [0x64, 0xff9b, 0, 0, 0, 0, ..] | [0x64, 0xff9b, 1, ..] => Some(low),
        // 6to4.
        [0x2002, high, rest, ..] => Some(Ipv4Addr::from((u32::from(high) << 16) | u32::from(rest))),
        // Teredo: the client's address, inverted.
        [0x2001, 0, ..] => Some(Ipv4Addr::from(!u32::from(low))),
        _ => None,
    }
}

fn never(ip: IpAddr) -> Option<&'static str> {
    match ip {
        IpAddr::V4(v4) => match v4.octets() {
            [0, ..] => Some("an unspecified address"),
            [169, 254, ..] => Some("a link-local address, where clouds keep their metadata"),
            [168, 63, 129, 16] | [100, 100, 100, 200] | [192, 0, 0, 192] => Some("a cloud's metadata address"),
            [224..=239, ..] => Some("a multicast address"),
            [255, 255, 255, 255] => Some("the broadcast address"),
            _ => None,
        },
        IpAddr::V6(v6) => match v6.segments() {
            [0, 0, 0, 0, 0, 0, 0, 0] => Some("an unspecified address"),
            [0xfe80..=0xfebf, ..] => Some("a link-local address"),
            [0xff00..=0xffff, ..] => Some("a multicast address"),
            [0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0254] => Some("a cloud's metadata address"),
            _ => None,
        },
    }
}

fn special(ip: IpAddr) -> Option<&'static str> {
    match ip {
        IpAddr::V4(v4) => match v4.octets() {
            [127, ..] => Some("a loopback address"),
            [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => Some("a private address"),
            [100, 64..=127, ..] => Some("an address of a carrier's shared range"),
            [192, 0, 0, _]
            | [192, 0, 2, _]
            | [198, 18..=19, ..]
            | [198, 51, 100, _]
            | [203, 0, 113, _]
            | [240..=255, ..] => Some("an address of a reserved range"),
            _ => None,
        },
        IpAddr::V6(v6) => match v6.segments() {
            [0, 0, 0, 0, 0, 0, 0, 1] => Some("a loopback address"),
            [0xfc00..=0xfdff, ..] | [0xfec0..=0xfeff, ..] => Some("a private address"),
            [0x2000..=0x3fff, second, ..] if v6.segments()[0] != 0x2001 || second != 0x0db8 => None,
            _ => Some("an address of a reserved range"),
        },
    }
}

#[cfg(test)]
#[path = "egress_tests.rs"]
mod tests;
