//! Connectors against real servers, and against fakes for what a real one does not do on demand.

#![expect(clippy::disallowed_methods, reason = "tests name things at random and read PURSIGHT_TEST_*")]
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod cases;
mod fakes;
mod hostile;
mod login;
mod servers;
mod session;
mod tls;
