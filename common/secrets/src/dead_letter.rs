//! Seals the original bytes of dead letters with the keys of the sealed store: they may hold whatever their publisher
//! put into them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::envelope::Bound;
use crate::error::{Cause, SecretError};
use crate::key_ring::KeyRing;

const VERSION: &str = "1";

/// Seals and opens dead letters.
#[derive(Clone)]
pub struct DeadLetterSeal {
    keys: KeyRing,
}

impl DeadLetterSeal {
    /// With these keys.
    pub fn new(keys: KeyRing) -> Self {
        Self { keys }
    }

    /// A Fernet token over `{"tenant", "id", "version": "1", "value": <base64 of the bytes>}`.
    ///
    /// # Errors
    /// None in practice; the form is that of every sealed value.
    pub fn seal(&self, tenant: &str, id: &str, bytes: &[u8]) -> Result<Vec<u8>, SecretError> {
        let value = Zeroizing::new(STANDARD.encode(bytes));
        let token = Bound { tenant, id, version: VERSION }.seal(&self.keys, &value);
        token.map(String::into_bytes).ok_or_else(|| SecretError::unavailable(id, Cause::Unreadable))
    }

    /// The bytes that were sealed for this tenant and id.
    ///
    /// # Errors
    /// [`Cause::Unreadable`] when no key opens it or it was sealed for something else.
    pub fn open(&self, tenant: &str, id: &str, sealed: &[u8]) -> Result<Vec<u8>, SecretError> {
        let opened = std::str::from_utf8(sealed).ok().and_then(|token| {
            let value = Zeroizing::new(Bound { tenant, id, version: VERSION }.open(&self.keys, token)?);
            STANDARD.decode(value.as_bytes()).ok()
        });
        opened.ok_or_else(|| SecretError::unavailable(id, Cause::Unreadable))
    }
}
