//! Connectors: how this system reaches customers' servers. Every address passes the egress policy, every handshake the
//! source's TLS policy, every session is read-only and bounded in time, rows and bytes. Knows no topic and no read model.
#![doc = include_str!("../README.md")]

mod breaker;
mod egress;
#[cfg(fuzzing)]
pub mod fuzzing;
mod host;
pub mod postgres;
mod problem;
mod resolve;
mod secret;
mod steps;
mod tls;
mod verify;
mod watch;
mod wire;

use std::sync::Arc;

pub use breaker::{Breaker, BreakerState};
pub use egress::{EgressPolicy, PolicyError};
pub use problem::{Refused, code, refused, unsupported_type};
pub use resolve::ResolverError;
pub use secret::SecretPort;
pub use steps::untaken_steps;

use resolve::Gate;

/// Everything that opening a connection needs; cheap to clone.
#[derive(Clone)]
pub struct Connectors {
    inner: Arc<Inner>,
}

struct Inner {
    gate: Gate,
    secrets: Arc<dyn SecretPort>,
    addresses: breaker::Addresses,
}

impl Connectors {
    /// Connectors under a policy.
    ///
    /// # Errors
    /// When the system's resolver configuration cannot be read.
    pub fn new(policy: EgressPolicy, secrets: Arc<dyn SecretPort>) -> Result<Self, ResolverError> {
        let inner = Inner { gate: Gate::new(policy)?, secrets, addresses: breaker::Addresses::default() };
        Ok(Self { inner: Arc::new(inner) })
    }

    pub(crate) fn gate(&self) -> &Gate {
        &self.inner.gate
    }

    pub(crate) fn secrets(&self) -> &dyn SecretPort {
        &*self.inner.secrets
    }

    pub(crate) fn addresses(&self) -> &breaker::Addresses {
        &self.inner.addresses
    }
}
