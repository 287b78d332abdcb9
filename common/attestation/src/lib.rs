//! Who may ask for what: signed attestations of commands, and the keys that make and check them.
//! Owns the JWS, the key files and the checks of contract section 8; knows nothing of the log's client and has no clock.
//! Next: [`TrustedKeys::verify`] for workers, [`SigningKey`] and [`Claims`] for publishers, [`create_keys`] for operators.
#![doc = include_str!("../README.md")]

mod claims;
mod create;
mod error;
mod key_set;
mod permission;
mod private_file;
mod signing;
#[cfg(test)]
mod tests;
mod trusted;
mod verify;

pub use claims::{Claims, LEEWAY_SECONDS, LONGEST_SECONDS, Publisher, USUAL_SECONDS};
pub use create::{NewKey, create_keys};
pub use error::{AttestationError, Flaw, KeyError};
pub use key_set::KeySet;
pub use permission::Permission;
pub use signing::SigningKey;
pub use trusted::TrustedKeys;
pub use verify::{Presented, Verified};

/// Header of a command that carries the attestation.
pub const HEADER: &str = "pursight-attestation";
