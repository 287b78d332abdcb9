//! Tables of addresses in every spelling, and what the policy says to them.

use super::*;

fn check(policy: &str, address: &str) -> Result<(), Denial> {
    let policy = EgressPolicy::parse(policy).unwrap_or_else(|error| panic!("{error}"));
    let address = address.parse().unwrap_or_else(|_| panic!("{address} is no address"));
    policy.check(address)
}

#[test]
fn public_addresses_pass_without_being_named() {
    for address in ["8.8.8.8:5432", "[2606:4700::1111]:5432", "[::ffff:8.8.8.8]:5432", "[2002:808:808::1]:1"] {
        assert_eq!(check("", address), Ok(()), "{address}");
    }
}

#[test]
fn loopback_and_private_ranges_need_a_word_of_the_operator() {
    for address in [
        "127.0.0.1:1",
        "127.8.8.8:1",
        "10.0.0.1:1",
        "172.16.0.1:1",
        "172.31.255.255:1",
        "192.168.1.1:1",
        "100.64.0.1:1",
        "198.18.0.1:1",
        "192.0.2.1:1",
        "240.0.0.1:1",
        "[::1]:1",
        "[fc00::1]:1",
        "[fdff::1]:1",
        "[fec0::1]:1",
        "[2001:db8::1]:1",
        "[4000::1]:1",
        "[::ffff:127.0.0.1]:1",
        "[::ffff:10.0.0.1]:1",
        "[::ffff:0:10.0.0.1]:1",
        "[::127.0.0.1]:1",
        "[64:ff9b::10.0.0.1]:1",
        "[64:ff9b:1::10.0.0.1]:1",
        "[2002:7f00:1::]:1",
        "[2002:a00:1::1]:1",
        "[2001:0:1:2:3:4:f5ff:fffe]:1",
    ] {
        assert!(matches!(check("", address), Err(Denial::Unless(_))), "{address}: {:?}", check("", address));
    }
}

#[test]
fn some_addresses_are_never_reached_even_when_everything_is_allowed() {
    for address in [
        "0.0.0.0:1",
        "0.1.2.3:1",
        "169.254.169.254:80",
        "169.254.0.1:1",
        "168.63.129.16:80",
        "100.100.100.200:80",
        "224.0.0.1:1",
        "239.255.255.255:1",
        "255.255.255.255:1",
        "[::]:1",
        "[fe80::1]:1",
        "[febf::1]:1",
        "[ff02::1]:1",
        "[fd00:ec2::254]:80",
        "[::ffff:169.254.169.254]:80",
        "[::ffff:0.0.0.0]:80",
        "[64:ff9b::169.254.169.254]:80",
        "[2002:a9fe:a9fe::1]:80",
        "[::169.254.169.254]:80",
    ] {
        assert!(matches!(check("0.0.0.0/0,::/0", address), Err(Denial::Never(_))), "{address}");
    }
}

#[test]
fn the_policy_names_ranges_and_ports() {
    for (policy, address, allowed) in [
        ("127.0.0.0/8", "127.0.0.1:5432", true),
        ("127.0.0.0/8", "[::ffff:127.0.0.1]:5432", true),
        ("127.0.0.0/8", "[::1]:5432", false),
        ("127.0.0.0/8,::1/128", "[::1]:5432", true),
        ("10.1.2.3", "10.1.2.3:1", true),
        ("10.1.2.3", "10.1.2.4:1", false),
        ("10.1.2.3:5432", "10.1.2.3:5432", true),
        ("10.1.2.3:5432", "10.1.2.3:22", false),
        ("10.1.2.3/8:5432 192.168.0.0/16", "10.9.9.9:5432", true),
        ("[fd00::/8]:5432", "[fd00::1]:5432", true),
        ("[fd00::/8]:5432", "[fd00::1]:22", false),
        ("fd00::/8", "[fd00::1]:22", true),
        ("[fd00::1]", "[fd00::1]:22", true),
    ] {
        assert_eq!(check(policy, address).is_ok(), allowed, "{policy} {address}");
    }
}

#[test]
fn an_entry_that_cannot_be_read_is_named() {
    for bad in ["10.0.0.0/33", "localhost", "10.0.0.1:99999", "[fd00::1", "10.0.0.0/8:x", "*", "[::1]5432"] {
        assert_eq!(EgressPolicy::parse(&format!("::1/128,{bad}")), Err(PolicyError { entry: bad.to_owned() }));
    }
}

#[test]
fn own_services_are_refused_although_their_range_is_allowed() {
    let own = "127.0.0.1:9092".parse().unwrap_or_else(|_| panic!("an address"));
    let policy = EgressPolicy::parse("127.0.0.0/8").unwrap_or_else(|error| panic!("{error}")).refusing([own]);
    assert!(matches!(policy.check(own), Err(Denial::Never(_))));
    let mapped = "[::ffff:127.0.0.1]:9092".parse().unwrap_or_else(|_| panic!("an address"));
    assert!(matches!(policy.check(mapped), Err(Denial::Never(_))));
    let neighbour = "127.0.0.1:5432".parse().unwrap_or_else(|_| panic!("an address"));
    assert_eq!(policy.check(neighbour), Ok(()));
}

#[test]
fn the_remedy_names_the_smallest_range() {
    for (ip, range) in [("10.0.0.1", "10.0.0.1/32"), ("::ffff:10.0.0.1", "10.0.0.1/32"), ("fd00::1", "fd00::1/128")] {
        assert_eq!(allowance_for(ip.parse().unwrap_or_else(|_| panic!("an address"))), range);
    }
}
