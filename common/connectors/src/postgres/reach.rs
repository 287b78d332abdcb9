//! Why a server could not be reached, in our words: what was tried, what happened, what to do.

use std::net::SocketAddr;
use std::time::Duration;

use crate::problem::{Refused, code, io_word, refused, with_native};

pub(super) fn no_user() -> Refused {
    refused(
        code::AUTHENTICATION_FAILED,
        "the source names no user to log in as",
        "give the source the name of a role with read rights",
    )
}

pub(super) fn no_host() -> Refused {
    refused(code::HOST_NOT_FOUND, "the source names no host", "give the source at least one host")
}

pub(super) fn no_primary() -> Refused {
    with_native(
        refused(
            code::CONNECTION_REFUSED,
            "the source wants a primary, and every host that answered is a standby",
            "name the primary's host, or set replica.target to ANY or PREFER_STANDBY",
        ),
        "no_primary",
    )
}

pub(super) fn slow_secrets() -> Refused {
    refused(
        code::SECRET_STORE_UNAVAILABLE,
        "the store of secrets did not answer in time",
        "`pursight doctor` says which store is meant and whether it can be reached",
    )
}

pub(super) fn slow_settings(limit: Duration) -> Refused {
    refused(
        code::STATEMENT_TIMEOUT,
        format!("the session could not be restricted within {} ms", limit.as_millis()),
        "check the load of the server",
    )
}

pub(super) fn in_clear() -> Refused {
    refused(
        code::TLS_DOWNGRADE,
        "the source's tls.mode is DISABLE: everything but the password travels in clear",
        "turn TLS on at the server and set tls.mode to VERIFY_FULL or REQUIRE",
    )
}

pub(super) fn no_answer(host: &str, address: Option<SocketAddr>, limit: Duration) -> Refused {
    let at = address.map_or_else(String::new, |address| format!(" ({address})"));
    refused(
        code::CONNECT_TIMEOUT,
        format!("{host}{at} did not answer within {:.1} s", limit.as_secs_f64()),
        "check host and port, and that every firewall in between lets this machine through to that port",
    )
}

pub(super) fn silent(host: &str, address: SocketAddr, limit: Duration, what: &str) -> Refused {
    with_native(
        refused(
            code::CONNECT_TIMEOUT,
            format!(
                "{host} ({address}) accepted the connection, but did not answer {what} within {:.1} s",
                limit.as_secs_f64()
            ),
            "check that a PostgreSQL server listens on this port and is not overloaded; a proxy without a server behind \
             it behaves like this",
        ),
        "silent",
    )
}

pub(super) fn unreachable(host: &str, address: SocketAddr, error: &std::io::Error) -> Refused {
    let word = io_word(error);
    let problem = refused(
        code::CONNECTION_REFUSED,
        format!("{host} ({address}) cannot be connected to: {}", word.replace('_', " ")),
        format!(
            "check that the server runs and listens there (listen_addresses and port = {} in postgresql.conf), and that \
             no firewall rejects connections from this machine",
            address.port()
        ),
    );
    with_native(problem, word)
}

pub(super) fn crowded(host: &str, address: SocketAddr) -> Refused {
    with_native(
        refused(
            code::SERVER_LIMIT,
            format!("this process has as many connections to {host} ({address}) as it allows itself"),
            "try again when the runs on that server have ended",
        ),
        "own_limit",
    )
}

pub(super) fn resting(host: &str, address: SocketAddr, pause: Duration) -> Refused {
    with_native(
        refused(
            code::CONNECTION_REFUSED,
            format!("{host} ({address}) failed five times running and is left alone for {} s", pause.as_secs() + 1),
            "a connection test of the source tries at once, and ends the pause when it succeeds",
        ),
        "breaker_open",
    )
}
