//! Problems: what a customer's server said or did, in our own words, with what to do about it.
//! Knows the stable codes; must never carry a driver's text, which may hold secrets and is the server's to choose.

use std::io;

use pursight_schemas::{Problem, ProblemCategory, SourceType};

/// A problem on its way up; boxed because results are moved often and problems are rare.
pub type Refused = Box<Problem>;

/// Stable codes of problems.
pub mod code {
    /// The egress policy forbids an address.
    pub const EGRESS_DENIED: &str = "EGRESS_DENIED";
    /// The name has no address, or is none.
    pub const HOST_NOT_FOUND: &str = "HOST_NOT_FOUND";
    /// Nobody listens, or the server hung up.
    pub const CONNECTION_REFUSED: &str = "CONNECTION_REFUSED";
    /// Nobody answered in time.
    pub const CONNECT_TIMEOUT: &str = "CONNECT_TIMEOUT";
    /// No TLS, or not the TLS that was demanded.
    pub const TLS_FAILED: &str = "TLS_FAILED";
    /// Less TLS was asked for than the location allows.
    pub const TLS_DOWNGRADE: &str = "TLS_DOWNGRADE";
    /// The server did not let the role in.
    pub const AUTHENTICATION_FAILED: &str = "AUTHENTICATION_FAILED";
    /// There is no such database.
    pub const DATABASE_NOT_FOUND: &str = "DATABASE_NOT_FOUND";
    /// A right is missing.
    pub const MISSING_GRANT: &str = "MISSING_GRANT";
    /// A statement took too long, or waited too long for a lock.
    pub const STATEMENT_TIMEOUT: &str = "STATEMENT_TIMEOUT";
    /// A limit of the server, or of ours towards it.
    pub const SERVER_LIMIT: &str = "SERVER_LIMIT";
    /// The reference leads to nothing.
    pub const SECRET_NOT_FOUND: &str = "SECRET_NOT_FOUND";
    /// The store of secrets does not answer.
    pub const SECRET_STORE_UNAVAILABLE: &str = "SECRET_STORE_UNAVAILABLE";
    /// The time that was given is over.
    pub const DEADLINE_EXCEEDED: &str = "DEADLINE_EXCEEDED";
    /// A kind of server that cannot be read yet.
    pub const UNSUPPORTED_TYPE: &str = "UNSUPPORTED_TYPE";
    /// Anything else.
    pub const INTERNAL: &str = "INTERNAL";
}

/// A problem of `code`; category and whether trying again may help follow from the code.
pub fn refused(code: &str, message: impl Into<String>, remedy: impl Into<String>) -> Refused {
    let category = category_of(code);
    Box::new(Problem {
        code: code.to_owned(),
        category,
        message: message.into(),
        remedy: Some(remedy.into()),
        retryable: category == ProblemCategory::Transient,
        ..Problem::default()
    })
}

/// The problem of a source whose type no connector can reach.
pub fn unsupported_type(kind: SourceType) -> Refused {
    refused(
        code::UNSUPPORTED_TYPE,
        format!("sources of the type {} cannot be reached yet; only POSTGRESQL can", kind.symbol()),
        "nothing can be done here; the source may stay registered until its type is supported",
    )
}

/// The same problem with the server's own code.
pub(crate) fn with_native(mut problem: Refused, native: impl Into<String>) -> Refused {
    problem.native_code = Some(native.into());
    problem
}

/// The same problem with statements to run.
pub(crate) fn with_sql(mut problem: Refused, sql: impl Into<String>) -> Refused {
    problem.remedy_sql = Some(sql.into());
    problem
}

fn category_of(code: &str) -> ProblemCategory {
    match code {
        code::AUTHENTICATION_FAILED | code::MISSING_GRANT => ProblemCategory::Permission,
        code::CONNECTION_REFUSED
        | code::CONNECT_TIMEOUT
        | code::STATEMENT_TIMEOUT
        | code::SERVER_LIMIT
        | code::SECRET_STORE_UNAVAILABLE
        | code::DEADLINE_EXCEEDED => ProblemCategory::Transient,
        code::INTERNAL => ProblemCategory::Internal,
        _ => ProblemCategory::Config,
    }
}

/// What an error of the network says, without its text: a word for `native_code`.
pub(crate) fn io_word(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "refused",
        io::ErrorKind::ConnectionReset => "reset",
        io::ErrorKind::ConnectionAborted => "aborted",
        io::ErrorKind::BrokenPipe => "broken_pipe",
        io::ErrorKind::UnexpectedEof => "closed",
        io::ErrorKind::TimedOut => "timed_out",
        io::ErrorKind::HostUnreachable => "host_unreachable",
        io::ErrorKind::NetworkUnreachable => "network_unreachable",
        io::ErrorKind::PermissionDenied => "not_permitted",
        io::ErrorKind::AddrNotAvailable => "address_not_available",
        _ => "io",
    }
}
