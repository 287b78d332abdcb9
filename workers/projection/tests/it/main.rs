//! The projection against a real PostgreSQL, a database for each test. The log is made by hand.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod isolation;
mod log;
mod positions;
mod reading;
mod rebuild;
mod rows;
