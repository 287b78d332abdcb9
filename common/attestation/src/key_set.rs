//! The public halves: which keys are trusted, for whom they may speak, and what they may ask for.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_zebra::{Signature, VerificationKey};
use serde::Deserialize;

use crate::error::KeyError;
use crate::permission::Permission;

/// Trusted keys by their ids.
#[derive(Default)]
pub struct KeySet {
    pub(crate) keys: BTreeMap<String, TrustedKey>,
}

/// One trusted key.
pub(crate) struct TrustedKey {
    pub issuer: String,
    pub tenants: BTreeSet<String>,
    pub permissions: BTreeSet<Permission>,
    pub key: VerificationKey,
}

impl TrustedKey {
    pub fn speaks_for(&self, tenant: &str) -> bool {
        self.tenants.contains("*") || self.tenants.contains(tenant)
    }
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<Jwk>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    crv: Option<String>,
    kid: String,
    x: Option<String>,
    pursight_issuer: Option<String>,
    pursight_tenants: Option<Vec<String>>,
    pursight_permissions: Option<Vec<String>>,
}

impl KeySet {
    /// Reads a JWKS document; `path` is for the error's text. Strict, because a key half understood would grant too
    /// little or too much.
    ///
    /// # Errors
    /// [`KeyError::BadKeySet`] with what is wrong.
    pub fn parse(path: &Path, bytes: &[u8]) -> Result<Self, KeyError> {
        let bad = |why: String| KeyError::BadKeySet { path: path.to_owned(), why };
        let document: Document = serde_json::from_slice(bytes).map_err(|error| bad(error.to_string()))?;
        let mut keys = BTreeMap::new();
        for jwk in document.keys {
            let kid = jwk.kid.clone();
            let key = jwk.understood().map_err(|why| bad(format!("key {kid:?}: {why}")))?;
            if keys.insert(kid.clone(), key).is_some() {
                return Err(bad(format!("key {kid:?} is there twice")));
            }
        }
        Ok(Self { keys })
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether nobody is trusted.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }
}

impl Jwk {
    fn understood(self) -> Result<TrustedKey, String> {
        if self.kty != "OKP" || self.crv.as_deref() != Some("Ed25519") {
            return Err("only Ed25519 keys (kty OKP, crv Ed25519) are supported".to_owned());
        }
        let public = self.x.and_then(|x| URL_SAFE_NO_PAD.decode(x).ok());
        let key = public.and_then(|bytes| VerificationKey::try_from(bytes.as_slice()).ok());
        let key = key.ok_or("x is not a public key of 32 bytes in url-safe base64")?;
        if key.verify(&nobodys_signature(), b"").is_ok() {
            return Err("x is a weak key: whoever likes can sign for it".to_owned());
        }
        let issuer = self.pursight_issuer.filter(|issuer| !issuer.is_empty()).ok_or("pursight_issuer is missing")?;
        let tenants = self.pursight_tenants.ok_or("pursight_tenants is missing")?.into_iter().collect();
        let mut permissions = BTreeSet::new();
        for name in self.pursight_permissions.ok_or("pursight_permissions is missing")? {
            permissions.insert(Permission::parse(&name).ok_or(format!("{name:?} is not a permission"))?);
        }
        Ok(TrustedKey { issuer, tenants, permissions, key })
    }
}

/// R the neutral point, s nought: it fits any message under the few keys that have no private half (points of small order).
fn nobodys_signature() -> Signature {
    let mut point = [0; 32];
    point[0] = 1;
    Signature::from_components(point, [0; 32])
}
