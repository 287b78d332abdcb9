//! Every end-to-end scenario, in one binary. Each makes its own system, so they run in any order and side by side.

#![expect(clippy::disallowed_methods, reason = "tests name things at random and read PURSIGHT_TEST_*")]
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a scenario tells its figures; a test that fails shows them"
)]

mod canary;
mod commands;
mod connection;
mod ddl;
mod doctor;
mod drain;
mod fencing;
mod foreign;
mod holds;
mod hostile;
mod isolation;
mod language;
mod outages;
mod planted;
mod rebuild;
mod runs;
mod truth;
mod walk;
