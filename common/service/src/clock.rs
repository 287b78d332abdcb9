//! The only clock and the only source of random identity. Everything below the edge gets time and ids as data.

#![expect(clippy::disallowed_methods, reason = "this is the one file that may")]

use std::time::{SystemTime, UNIX_EPOCH};

use uuid::Uuid;

/// Microseconds since 1970-01-01T00:00:00Z.
pub fn now_micros() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

/// A new id that sorts by time (UUIDv7).
pub fn new_id() -> Uuid {
    Uuid::now_v7()
}
