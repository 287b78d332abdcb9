//! The catalog statements against a real server, compared with queries that ask for one thing at a time.

#![expect(clippy::disallowed_methods, reason = "tests name things at random and read PURSIGHT_TEST_*")]
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod changes;
mod limits;
mod rights;
mod statistics;
mod support;
mod truth;
