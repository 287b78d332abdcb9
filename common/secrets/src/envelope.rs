//! What lies inside a token: the value with its tenant, id and version, so that a token moved to another row is refused.

use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::key_ring::KeyRing;

/// The sealed JSON.
#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(deny_unknown_fields)]
struct Envelope {
    tenant: String,
    id: String,
    version: String,
    value: String,
}

/// The place to which a token is bound.
#[derive(Clone, Copy)]
pub(crate) struct Bound<'a> {
    pub tenant: &'a str,
    pub id: &'a str,
    pub version: &'a str,
}

impl Bound<'_> {
    /// Seals a value for this place. `None` only if the value cannot be written as JSON.
    pub fn seal(&self, keys: &KeyRing, value: &str) -> Option<String> {
        let envelope = Envelope {
            tenant: self.tenant.to_owned(),
            id: self.id.to_owned(),
            version: self.version.to_owned(),
            value: value.to_owned(),
        };
        let plain = Zeroizing::new(serde_json::to_vec(&envelope).ok()?);
        Some(keys.seal(&plain))
    }

    /// Opens a token that was sealed for this place; `None` for any other.
    pub fn open(&self, keys: &KeyRing, token: &str) -> Option<String> {
        let plain = keys.open(token)?;
        let mut envelope: Envelope = serde_json::from_slice(&plain).ok()?;
        let here = envelope.tenant == self.tenant && envelope.id == self.id && envelope.version == self.version;
        here.then(|| std::mem::take(&mut envelope.value))
    }
}
