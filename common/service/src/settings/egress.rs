//! The operator's list of addresses that customers' drivers may reach.
//!
//! One entry: `ADDRESS`, `ADDRESS/PREFIX`, either with `:PORT`. An IPv6 address stands in brackets where a port follows:
//! `10.0.0.0/8`, `192.168.1.7:5432`, `192.168.1.0/24:5432`, `::1/128`, `[2001:db8::]/32:5432`, `[::1]:5432`.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;

const EXPECTED: &str = "addresses such as 10.0.0.0/8, 192.168.1.7/32:5432 or [::1]/128:5432, by comma";
const MAPPED: &str = "IPv4 addresses in their own form, such as 10.0.0.0/8, instead of ::ffff:10.0.0.0/104";

/// Addresses of one network, on one port or on all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AllowedRange {
    /// The network.
    pub network: IpNet,
    /// The only port; `None`: every one.
    pub port: Option<u16>,
}

impl AllowedRange {
    /// Reads one entry; the error says what would be right.
    ///
    /// # Errors
    /// What entries look like.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let (network, port) = split(text).ok_or(EXPECTED)?;
        let network = network.parse::<IpNet>().or_else(|_| network.parse::<IpAddr>().map(IpNet::from));
        let network = network.map_err(|_| EXPECTED)?.trunc();
        match network {
            IpNet::V6(v6) if v6.addr().to_ipv4_mapped().is_some() => Err(MAPPED),
            _ => Ok(Self { network, port }),
        }
    }

    /// Whether this entry allows an address. IPv4 addresses written as IPv6 are IPv4 first.
    pub fn allows(&self, address: IpAddr, port: u16) -> bool {
        self.network.contains(&address.to_canonical()) && self.port.is_none_or(|only| only == port)
    }
}

/// Network text and port of an entry.
fn split(text: &str) -> Option<(String, Option<u16>)> {
    let port = |text: &str| text.parse::<u16>().ok().filter(|port| *port != 0);
    if let Some(rest) = text.strip_prefix('[') {
        let (address, rest) = rest.split_once(']')?;
        return match rest.split_once(':') {
            None => Some((format!("{address}{rest}"), None)),
            Some((prefix, number)) => Some((format!("{address}{prefix}"), Some(port(number)?))),
        };
    }
    match text.matches(':').count() {
        1 => text.split_once(':').and_then(|(network, number)| Some((network.to_owned(), Some(port(number)?)))),
        _ => Some((text.to_owned(), None)),
    }
}

impl fmt::Display for AllowedRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.network, self.port) {
            (network, None) => write!(f, "{network}"),
            (IpNet::V4(network), Some(port)) => write!(f, "{network}:{port}"),
            (IpNet::V6(network), Some(port)) => write!(f, "[{}]/{}:{port}", network.addr(), network.prefix_len()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_allow_their_network_on_their_port() {
        for (entry, address, port, allowed) in [
            ("10.0.0.0/8", "10.200.3.4", 5432, true),
            ("10.0.0.0/8", "11.0.0.1", 5432, false),
            ("10.1.2.3/8", "10.200.3.4", 1, true),
            ("192.168.1.7", "192.168.1.7", 5432, true),
            ("192.168.1.7", "192.168.1.8", 5432, false),
            ("192.168.1.7/32:5432", "192.168.1.7", 5432, true),
            ("192.168.1.7/32:5432", "192.168.1.7", 5433, false),
            ("192.168.1.7:5432", "::ffff:192.168.1.7", 5432, true),
            ("::1/128", "::1", 5432, true),
            ("::1", "::1", 5432, true),
            ("[::1]/128:5432", "::1", 5432, true),
            ("[::1]:5432", "::1", 5433, false),
            ("[2001:db8::]/32", "2001:db8:1::7", 1, true),
            ("::/0", "127.0.0.1", 1, false),
            ("::/0", "::ffff:127.0.0.1", 1, false),
        ] {
            let range = AllowedRange::parse(entry);
            let address: Option<IpAddr> = address.parse().ok();
            assert_eq!(range.ok().zip(address).map(|(range, ip)| range.allows(ip, port)), Some(allowed), "{entry}");
        }
    }

    #[test]
    fn entries_that_could_mean_two_things_are_refused() {
        for entry in
            ["", "db.example.com", "10.0.0.0/33", "10.0.0.1:0", "10.0.0.1:99999", "10.0.0.1:", "[::1", "[::1]x:5"]
        {
            assert_eq!(AllowedRange::parse(entry), Err(EXPECTED), "{entry}");
        }
        assert_eq!(AllowedRange::parse("::ffff:10.0.0.0/104"), Err(MAPPED));
    }

    #[test]
    fn entries_say_themselves_again() {
        for entry in ["10.0.0.0/8", "192.168.1.7/32:5432", "::1/128", "[::1]/128:5432"] {
            assert_eq!(AllowedRange::parse(entry).map(|range| range.to_string()), Ok(entry.to_owned()));
        }
    }
}
