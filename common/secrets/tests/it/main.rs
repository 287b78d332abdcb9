//! The stores against real servers: PostgreSQL, an emulator of AWS, and an implementation of Fernet that is not ours.
//! Needs the settings that `./dev test-env` prints.

#![expect(clippy::disallowed_methods, reason = "tests name things at random and read PURSIGHT_TEST_*")]
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod aws;
mod fake_secrets_manager;
mod python;
mod sealed;
mod world;
