//! Addresses of servers: form only. Whether an address may be reached is the egress policy's, at connect time.

use std::net::{IpAddr, Ipv4Addr};

use pursight_schemas::{HostPort, SourceType};

use super::{Violations, code, secret};

/// Most addresses of one source.
const MOST_HOSTS: usize = 16;

/// Checks all addresses of a source.
pub fn check(found: &mut Violations, path: &str, source_type: SourceType, hosts: &[HostPort]) {
    let optional = matches!(source_type, SourceType::Bigquery | SourceType::Snowflake);
    if hosts.is_empty() && !optional {
        found.invalid(path, "at least one host is required");
    }
    if hosts.len() > MOST_HOSTS {
        found.invalid(path, format!("at most {MOST_HOSTS} hosts are allowed"));
    }
    for (at, host) in hosts.iter().enumerate().take(MOST_HOSTS) {
        name(found, &format!("{path}/{at}/host"), &host.host);
        if host.port.is_some_and(|port| !(1..=65_535).contains(&port)) {
            found.invalid(format!("{path}/{at}/port"), "a port is between 1 and 65535");
        }
    }
}

/// Checks one host name or address.
pub fn name(found: &mut Violations, path: &str, host: &str) {
    if secret::is_secret_text(host) {
        found.add(path, code::PLAINTEXT_SECRET, "a host is a name or an address, without user info");
    } else if let Some(fault) = fault(host) {
        found.invalid(path, fault);
    }
}

fn fault(host: &str) -> Option<&'static str> {
    if host.is_empty() {
        return Some("required");
    }
    if host.starts_with('/') || host.starts_with('@') {
        return Some("sockets are not allowed, only host names and addresses");
    }
    if host.starts_with('[') || host.contains("://") || host.contains('/') {
        return Some("only a host name or an address, without brackets, scheme or path");
    }
    if host.parse::<IpAddr>().is_ok() {
        return None;
    }
    let last = host.trim_end_matches('.').rsplit('.').next().unwrap_or_default();
    let numeric = !last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit())
        || last.to_ascii_lowercase().starts_with("0x");
    // Resolvers read `127.1`, `0177.0.0.1` and `0x7f000001` as addresses; people do not.
    if numeric && host.parse::<Ipv4Addr>().is_err() {
        return Some("an IPv4 address has four decimal numbers");
    }
    let sound = |label: &str| {
        (1..=63).contains(&label.chars().count())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|each| each.is_alphanumeric() || each == '-' || each == '_')
    };
    let name = host.strip_suffix('.').unwrap_or(host);
    if host.len() > 253 || !name.split('.').all(sound) { Some("not a host name") } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_addresses_pass() {
        for host in
            ["db", "db.acme.example", "db.acme.example.", "10.0.0.7", "::1", "fe80::1", "bücher.example", "my_db"]
        {
            assert_eq!(fault(host), None, "{host}");
        }
    }

    #[test]
    fn bad_addresses_are_refused() {
        for host in [
            "",
            "[::1]",
            "db/x",
            "/var/run/postgresql",
            "postgresql://db",
            "db:5432",
            "127.1",
            "2130706433",
            "0x7f000001",
            "0177.0.0.1",
            "1.2.3.4.5",
            "a..b",
            "-a",
            "a b",
            "a\0b",
            "u@h",
        ] {
            assert!(fault(host).is_some(), "{host}");
        }
    }

    #[test]
    fn a_url_with_a_password_is_a_secret() {
        let mut found = Violations::new();
        name(&mut found, "/spec/hosts/0/host", "postgresql://u:p@h/db");
        assert_eq!(found.into_list()[0].code, code::PLAINTEXT_SECRET);
    }

    #[test]
    fn hosts_are_required_where_there_is_a_server() {
        for (source_type, faults) in [(SourceType::Postgresql, 1), (SourceType::Bigquery, 0), (SourceType::Cosmosdb, 1)]
        {
            let mut found = Violations::new();
            check(&mut found, "/spec/hosts", source_type, &[]);
            assert_eq!(found.len(), faults, "{source_type}");
        }
    }
}
