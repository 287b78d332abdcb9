//! The projection against a real PostgreSQL, a database for each test. The log is made by hand.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod isolation;
mod log;
mod positions;
mod reading;
mod rows;
