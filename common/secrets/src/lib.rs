//! Where secrets are kept, and how a reference becomes a value at connect time.
//! Owns references, the [`Secret`] type, the sealed store and the other providers; must not know what a secret is for.
//! Next: [`Resolver::resolve`] for those who connect, [`SealedStore`] for those who store, [`DeadLetterSeal`] for the engine.
#![doc = include_str!("../README.md")]

mod aws;
mod dead_letter;
mod envelope;
mod error;
mod key_ring;
mod local;
mod reference;
mod resolver;
mod sealed;
mod secret;
mod store;

pub use aws::{AwsOptions, AwsSecretsManager};
pub use dead_letter::DeadLetterSeal;
pub use error::{Cause, SecretError};
pub use key_ring::{KeyRing, KeyRingError};
pub use local::{EnvironmentStore, FileStore};
pub use reference::{Place, Reference, ReferenceError};
pub use resolver::{Resolver, ResolverBuilder};
pub use sealed::{Entry, Rotation, SealedStore};
pub use secret::Secret;
pub use store::SecretStore;
