//! Hosts as tenants write them, parsed strictly: a name or an address, nothing that two parsers could read differently.
//! Pure; says nothing about whether an address may be reached.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A host that means one thing only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    /// A DNS name, lower case, without a trailing dot.
    Name(String),
    /// An address.
    Address(IpAddr),
}

/// Why a text is no host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    /// Nothing there.
    #[error("the host is empty")]
    Empty,
    /// More than 253 characters, or a label of more than 63.
    #[error("the host is too long")]
    TooLong,
    /// A path, a URL, user info, white space and the like.
    #[error("a host is a DNS name or an IP address and nothing else: no scheme, user, path or port in it")]
    Character,
    /// Beyond ASCII.
    #[error("write internationalised names in their ASCII form (xn--…)")]
    NotAscii,
    /// `0x7f.1`, `127.1`, `2130706433`, `0177.0.0.1`.
    #[error("write IPv4 addresses as four decimal numbers without leading zeros")]
    OddAddress,
    /// `fe80::1%eth0`.
    #[error("addresses with a zone are not accepted")]
    Zone,
}

impl Host {
    /// Reads a host, or says why it is none.
    ///
    /// # Errors
    /// [`HostError`]; its text is meant for people.
    pub fn parse(text: &str) -> Result<Self, HostError> {
        if text.is_empty() {
            return Err(HostError::Empty);
        }
        if !text.is_ascii() {
            return Err(HostError::NotAscii);
        }
        if text.len() > 254 {
            return Err(HostError::TooLong);
        }
        let inner = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
        if inner.contains(':') {
            return Self::parse_v6(inner);
        }
        if inner.len() != text.len() {
            return Err(HostError::Character);
        }
        if let Ok(address) = text.parse::<Ipv4Addr>() {
            return Ok(Self::Address(IpAddr::V4(address)));
        }
        Self::parse_name(text)
    }

    fn parse_v6(text: &str) -> Result<Self, HostError> {
        if text.contains('%') {
            return Err(HostError::Zone);
        }
        text.parse::<Ipv6Addr>().map(|address| Self::Address(IpAddr::V6(address))).map_err(|_| HostError::Character)
    }

    fn parse_name(text: &str) -> Result<Self, HostError> {
        let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        if name.len() > 253 {
            return Err(HostError::TooLong);
        }
        for label in name.split('.') {
            if label.len() > 63 {
                return Err(HostError::TooLong);
            }
            let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
            if label.is_empty() || !label.bytes().all(allowed) || label.starts_with('-') || label.ends_with('-') {
                return Err(HostError::Character);
            }
        }
        // No top-level domain is a number, so a name whose last label is one is an address in disguise: resolvers
        // read 127.1, 0x7f000001 and 017700000001 as loopback.
        let last = name.rsplit('.').next().unwrap_or_default();
        if is_number(last) {
            return Err(HostError::OddAddress);
        }
        Ok(Self::Name(name))
    }
}

fn is_number(label: &str) -> bool {
    let hexadecimal = label.strip_prefix("0x").is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_hexdigit()));
    hexadecimal || label.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses_are_read() {
        for (text, host) in [
            ("db.example.com", Host::Name("db.example.com".to_owned())),
            ("DB.Example.COM.", Host::Name("db.example.com".to_owned())),
            ("localhost", Host::Name("localhost".to_owned())),
            ("my_db-1", Host::Name("my_db-1".to_owned())),
            ("xn--bcher-kva.example", Host::Name("xn--bcher-kva.example".to_owned())),
            ("3com.com", Host::Name("3com.com".to_owned())),
            ("10.0.0.1", Host::Address(IpAddr::from([10, 0, 0, 1]))),
            ("::1", Host::Address(IpAddr::V6(Ipv6Addr::LOCALHOST))),
            ("[::1]", Host::Address(IpAddr::V6(Ipv6Addr::LOCALHOST))),
            ("::ffff:127.0.0.1", Host::Address(IpAddr::V6(Ipv4Addr::LOCALHOST.to_ipv6_mapped()))),
        ] {
            assert_eq!(Host::parse(text), Ok(host), "{text}");
        }
    }

    #[test]
    fn everything_else_is_refused_with_the_reason() {
        for (text, reason) in [
            ("", HostError::Empty),
            ("postgres://db", HostError::Character),
            ("user@db", HostError::Character),
            ("user:pw@db", HostError::Character),
            ("db:5432", HostError::Character),
            ("/var/run/postgresql", HostError::Character),
            ("@abstract", HostError::Character),
            ("db example", HostError::Character),
            ("db\n", HostError::Character),
            ("db?x=1", HostError::Character),
            ("db#x", HostError::Character),
            ("db%2ecom", HostError::Character),
            ("a..b", HostError::Character),
            (".", HostError::Character),
            ("-a.b", HostError::Character),
            ("[10.0.0.1]", HostError::Character),
            ("[::1", HostError::Character),
            ("bücher.example", HostError::NotAscii),
            ("１２７.0.0.1", HostError::NotAscii),
            ("127。0。0。1", HostError::NotAscii),
            ("fe80::1%eth0", HostError::Zone),
            ("127.1", HostError::OddAddress),
            ("127.0.1", HostError::OddAddress),
            ("2130706433", HostError::OddAddress),
            ("0x7f000001", HostError::OddAddress),
            ("0X7F.0.0.1", HostError::OddAddress),
            ("0x7f.0.0.0x1", HostError::OddAddress),
            ("0177.0.0.1", HostError::OddAddress),
            ("127.0.0.01", HostError::OddAddress),
            ("127.0.0.1.", HostError::OddAddress),
            ("256.0.0.1", HostError::OddAddress),
            ("1.2.3.4.5", HostError::OddAddress),
        ] {
            assert_eq!(Host::parse(text), Err(reason), "{text}");
        }
        assert_eq!(Host::parse(&"a".repeat(64)), Err(HostError::TooLong));
        assert_eq!(Host::parse(&"a.".repeat(200)), Err(HostError::TooLong));
    }

    proptest::proptest! {
        #[test]
        fn a_host_has_one_reading_only(text in "[a-zA-Z0-9._:\\[\\]%/@ -]{0,40}|\\PC{0,20}|[0-9a-fx.]{1,20}") {
            let Ok(host) = Host::parse(&text) else { return Ok(()) };
            let again = match &host {
                Host::Name(name) => name.clone(),
                Host::Address(address) => address.to_string(),
            };
            proptest::prop_assert!(again.is_ascii() && again.len() <= 253);
            proptest::prop_assert_eq!(Host::parse(&again), Ok(host));
        }
    }
}
