//! From a driver's error to a problem in our own words. The server's text is never used: it may hold values, and it is
//! the server's to choose. Only the SQLSTATE and the name of the routine decide.

use std::error::Error as _;
use std::io;
use std::net::IpAddr;

use pursight_schemas::ProblemCategory;
use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

use super::quote::identifier;
use crate::problem::{Refused, code, io_word, refused, with_native, with_sql};
use crate::watch::{MAX_FRAME, MAX_UNASKED, WireFault};

/// What was tried when a login failed.
pub(crate) struct Login<'a> {
    pub(crate) user: &'a str,
    pub(crate) database: &'a str,
    pub(crate) our_address: Option<IpAddr>,
    pub(crate) tls: bool,
    pub(crate) has_password: bool,
}

/// Why a statement failed. `doing` completes "while …".
pub fn statement_problem(error: &Error, doing: &str) -> Refused {
    let Some(state) = error.code() else { return broken_problem(error, doing) };
    let problem = match *state {
        SqlState::QUERY_CANCELED => refused(
            code::STATEMENT_TIMEOUT,
            format!("a statement ran out of time while {doing}"),
            "try again when the server is less busy, or with the strategy CONSERVATIVE",
        ),
        SqlState::LOCK_NOT_AVAILABLE => refused(
            code::STATEMENT_TIMEOUT,
            format!("a lock was held by somebody else for more than 500 ms while {doing}"),
            "try again when the change that is under way there has ended",
        ),
        SqlState::INSUFFICIENT_PRIVILEGE => refused(
            code::MISSING_GRANT,
            format!("a right was missing while {doing}"),
            "run a connection test of the source: its step `rights` prints the statements that grant what is missing",
        ),
        SqlState::TOO_MANY_CONNECTIONS | SqlState::CONFIGURATION_LIMIT_EXCEEDED | SqlState::INSUFFICIENT_RESOURCES => {
            refused(
                code::SERVER_LIMIT,
                format!("the server was at one of its limits while {doing}"),
                "try again when fewer sessions are open, or raise max_connections",
            )
        }
        SqlState::OUT_OF_MEMORY | SqlState::DISK_FULL => refused(
            code::SERVER_LIMIT,
            format!("the server ran out of memory or disk while {doing}"),
            "free memory or disk at the server, then try again",
        ),
        SqlState::ADMIN_SHUTDOWN | SqlState::CRASH_SHUTDOWN | SqlState::CANNOT_CONNECT_NOW => refused(
            code::CONNECTION_REFUSED,
            format!("the server shut down, restarted or ended our session while {doing}"),
            "try again when the server is up",
        ),
        _ => other(state, doing),
    };
    with_native(problem, sqlstate(state))
}

/// The code as the protocol has it: five capital letters or digits. What else stands in its place is a text that the server
/// chose, such as the password, and is not repeated.
fn sqlstate(state: &SqlState) -> &str {
    let is_code = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
    if state.code().len() == 5 && state.code().bytes().all(is_code) { state.code() } else { "malformed" }
}

fn other(state: &SqlState, doing: &str) -> Refused {
    let mut problem = refused(
        code::INTERNAL,
        format!("the server answered with the error {} while {doing}", sqlstate(state)),
        "look the code up in the server's log at this time; if the server is supported and healthy, report it",
    );
    let passing = *state == SqlState::T_R_SERIALIZATION_FAILURE
        || *state == SqlState::T_R_DEADLOCK_DETECTED
        || *state == SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT
        || state.code().starts_with("08");
    if passing {
        problem.category = ProblemCategory::Transient;
        problem.retryable = true;
    }
    problem
}

/// Errors that are not the server's answer: the connection, the protocol, the driver.
fn broken_problem(error: &Error, doing: &str) -> Refused {
    if let Some(fault) = wire_fault(error) {
        return wire_problem(fault, doing);
    }
    let word = io_cause(error).map(io_word);
    if error.is_closed() || word.is_some() {
        let problem = refused(
            code::CONNECTION_REFUSED,
            format!("the connection was lost while {doing}"),
            "try again; if it stays so, look into the server's log, and for firewalls that end idle connections",
        );
        return with_native(problem, word.unwrap_or("closed"));
    }
    refused(
        code::INTERNAL,
        format!("the answer could not be understood while {doing}"),
        "check that a PostgreSQL server of a supported version listens there, with nothing in between that alters the \
         protocol",
    )
}

/// Why a login failed.
pub(crate) fn login_problem(error: &Error, login: &Login<'_>) -> Refused {
    let Some(db) = error.as_db_error() else { return unfinished_login(error, login) };
    let state = db.code();
    let (user, database) = (login.user, login.database);
    let problem = match *state {
        SqlState::INVALID_PASSWORD => refused(
            code::AUTHENTICATION_FAILED,
            format!("the server refused the user name or the password of \"{user}\""),
            "check the user name of the source; if it is right, seal the right password with `pursight secret seal` and \
             give the source its reference",
        ),
        SqlState::INVALID_AUTHORIZATION_SPECIFICATION => not_let_in(db.routine(), login),
        SqlState::INVALID_CATALOG_NAME => refused(
            code::DATABASE_NOT_FOUND,
            format!("the server has no database \"{database}\""),
            "correct the database of the source",
        ),
        SqlState::INSUFFICIENT_PRIVILEGE => with_sql(
            refused(
                code::MISSING_GRANT,
                format!("\"{user}\" may not connect to the database \"{database}\""),
                "let its owner run the statement",
            ),
            format!("GRANT CONNECT ON DATABASE {} TO {};", identifier(database), identifier(user)),
        ),
        SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE => with_sql(
            refused(
                code::MISSING_GRANT,
                format!("the database \"{database}\" accepts no connections"),
                "choose another database, or let a superuser run the statement",
            ),
            format!("ALTER DATABASE {} WITH ALLOW_CONNECTIONS true;", identifier(database)),
        ),
        SqlState::TOO_MANY_CONNECTIONS => at_the_limit(db.routine(), login),
        _ => return statement_problem(error, "logging in"),
    };
    with_native(problem, sqlstate(state))
}

/// Problems of a login that concern the database, and not who logs in.
pub(crate) fn concerns_database(problem: &Refused) -> bool {
    problem.code == code::DATABASE_NOT_FOUND || problem.code == code::MISSING_GRANT
}

fn not_let_in(routine: Option<&str>, login: &Login<'_>) -> Refused {
    let user = login.user;
    if routine == Some("InitializeSessionUserId") {
        return with_sql(
            refused(
                code::AUTHENTICATION_FAILED,
                format!("the server has no role \"{user}\" that may log in"),
                "correct the user name of the source, or let the role log in",
            ),
            format!("ALTER ROLE {} LOGIN;", identifier(user)),
        );
    }
    let kind = if login.tls { "hostssl" } else { "host" };
    let from = match login.our_address {
        Some(IpAddr::V4(ip)) => format!("{ip}/32"),
        Some(IpAddr::V6(ip)) => format!("{ip}/128"),
        None => "samehost".to_owned(),
    };
    let line = format!("{kind} {} {} {from} scram-sha-256", identifier(login.database), identifier(user));
    refused(
        code::AUTHENTICATION_FAILED,
        format!(
            "no rule of the server's pg_hba.conf lets \"{user}\" in from here to \"{}\"{}, or a rule demands a client \
             certificate",
            login.database,
            if login.tls { "" } else { " without TLS" },
        ),
        format!("add the line `{line}` to pg_hba.conf and run `SELECT pg_reload_conf();`"),
    )
}

fn at_the_limit(routine: Option<&str>, login: &Login<'_>) -> Refused {
    let (user, database) = (identifier(login.user), identifier(login.database));
    match routine {
        Some("InitializeSessionUserId") => with_sql(
            refused(
                code::SERVER_LIMIT,
                format!("the role {user} has as many connections as its own limit allows"),
                "close sessions of that role, or raise its limit (-1 is none)",
            ),
            format!("ALTER ROLE {user} CONNECTION LIMIT -1;"),
        ),
        Some("CheckMyDatabase") => with_sql(
            refused(
                code::SERVER_LIMIT,
                format!("the database {database} has as many connections as its own limit allows"),
                "close sessions of that database, or raise its limit (-1 is none)",
            ),
            format!("ALTER DATABASE {database} CONNECTION LIMIT -1;"),
        ),
        Some("InitPostgres") => refused(
            code::SERVER_LIMIT,
            "all connections of the server are in use but those reserved for superusers",
            "close sessions (`SELECT count(*) FROM pg_stat_activity` against `SHOW max_connections`), or raise \
             max_connections and restart the server",
        ),
        _ => refused(
            code::SERVER_LIMIT,
            "all connections of the server are in use",
            "close sessions (`SELECT count(*) FROM pg_stat_activity` against `SHOW max_connections`), or raise \
             max_connections and restart the server",
        ),
    }
}

fn unfinished_login(error: &Error, login: &Login<'_>) -> Refused {
    if let Some(fault) = wire_fault(error) {
        return wire_problem(fault, "logging in");
    }
    if error.is_closed() || io_cause(error).is_some() {
        return broken_problem(error, "logging in");
    }
    let user = login.user;
    if login.has_password {
        refused(
            code::AUTHENTICATION_FAILED,
            format!(
                "the server demanded a way of authentication that is not supported, or could not prove that it knows the password of \"{user}\""
            ),
            "let pg_hba.conf demand scram-sha-256 for this role, and check that nothing sits between this system and the \
             server",
        )
    } else {
        refused(
            code::AUTHENTICATION_FAILED,
            format!("the server demands a password of \"{user}\", and the source names none"),
            "seal the password with `pursight secret seal` and give the source its reference as credential",
        )
    }
}

pub(crate) fn wire_problem(fault: WireFault, doing: &str) -> Refused {
    match fault {
        WireFault::CleartextPassword => with_native(
            refused(
                code::AUTHENTICATION_FAILED,
                "the server asked for the password in clear, over a connection on which it has not proved who it is; the \
                 password was not sent",
                "let pg_hba.conf demand scram-sha-256, or set tls.mode of the source to VERIFY_CA or VERIFY_FULL",
            ),
            "cleartext_password",
        ),
        WireFault::TooLarge => with_native(
            refused(
                code::SERVER_LIMIT,
                format!("the server sent a row or message of more than {MAX_FRAME} bytes while {doing}"),
                "if this is a PostgreSQL server, leave the object with that much text out of the source's scope",
            ),
            "too_large",
        ),
        WireFault::Unasked => with_native(
            refused(
                code::SERVER_LIMIT,
                format!("the server sent more than {MAX_UNASKED} bytes of settings and notices (seen while {doing})"),
                "look for what makes the server, or a proxy before it, send notices without end to this role",
            ),
            "unasked",
        ),
        WireFault::OwnType => with_native(
            refused(
                code::CONNECTION_REFUSED,
                format!(
                    "the server answered a catalog query with a type that PostgreSQL does not have (seen while {doing})"
                ),
                "check that a PostgreSQL server of a supported version listens there, with nothing in between that \
                 alters its answers",
            ),
            "own_type",
        ),
        WireFault::NotTheProtocol => with_native(
            refused(
                code::CONNECTION_REFUSED,
                format!("the server does not speak PostgreSQL's protocol (seen while {doing})"),
                "check host and port: something else seems to listen there",
            ),
            "not_postgresql",
        ),
    }
}

fn io_cause(error: &Error) -> Option<&io::Error> {
    error.source()?.downcast_ref::<io::Error>()
}

fn wire_fault(error: &Error) -> Option<WireFault> {
    io_cause(error)?.get_ref()?.downcast_ref::<WireFault>().copied()
}
