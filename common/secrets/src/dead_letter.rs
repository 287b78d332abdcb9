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

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_dead_letter_opens_for_its_tenant_and_id_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        std::fs::write(&path, fernet::Fernet::generate_key()).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        let seal = DeadLetterSeal::new(KeyRing::load(path).unwrap());
        let bytes: Vec<u8> = (0..=255).cycle().take(900 * 1024).collect();
        let sealed = seal.seal("acme", "commands/3/17", &bytes).unwrap();
        assert!(sealed.len() < 2 * 1024 * 1024, "the topic takes no more than 2 MiB");
        assert_eq!(seal.open("acme", "commands/3/17", &sealed), Ok(bytes));
        for (tenant, id, sealed) in [
            ("umbrella", "commands/3/17", sealed.as_slice()),
            ("acme", "commands/3/18", &sealed),
            ("acme", "commands/3/17", b"garbage"),
            ("acme", "commands/3/17", &[0xff]),
        ] {
            assert_eq!(seal.open(tenant, id, sealed).unwrap_err().code(), "SECRET_STORE_UNAVAILABLE");
        }
    }
}
