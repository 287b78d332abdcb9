//! Makes a key pair: the private half into its own file, the public half into the file of trusted keys.

use std::fs;
use std::io;
use std::path::Path;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use pursight_schemas::names::is_tenant_id;
use serde_json::{Value, json};

use crate::error::KeyError;
use crate::key_set::KeySet;
use crate::permission::Permission;
use crate::private_file::{replace, write_private};
use crate::signing::thumbprint;

/// For whom a new key may speak.
#[derive(Debug, Clone)]
pub struct NewKey {
    /// Name of who signs.
    pub issuer: String,
    /// Tenants, or `*` for every one.
    pub tenants: Vec<String>,
    /// Most that it may ever ask for.
    pub permissions: Vec<Permission>,
}

impl NewKey {
    fn check(&self) -> Result<(), KeyError> {
        if self.issuer.trim().is_empty() {
            return Err(KeyError::BadRequest("a key needs an issuer".to_owned()));
        }
        if self.tenants.is_empty() || self.permissions.is_empty() {
            return Err(KeyError::BadRequest("a key needs at least one tenant and one permission".to_owned()));
        }
        match self.tenants.iter().find(|tenant| *tenant != "*" && !is_tenant_id(tenant)) {
            Some(bad) => Err(KeyError::BadRequest(format!("{bad:?} is not the id of a tenant"))),
            None => Ok(()),
        }
    }

    fn to_jwk(&self, public_key: &[u8]) -> Value {
        let permissions: Vec<&str> = self.permissions.iter().map(|one| one.as_str()).collect();
        json!({
            "kty": "OKP",
            "crv": "Ed25519",
            "use": "sig",
            "alg": "EdDSA",
            "kid": thumbprint(public_key),
            "x": URL_SAFE_NO_PAD.encode(public_key),
            "pursight_issuer": self.issuer,
            "pursight_tenants": self.tenants,
            "pursight_permissions": permissions,
        })
    }
}

/// Writes a new private key to `private` (mode 0600, never over an existing file) and adds its public half to
/// `trusted`, which need not exist. Returns the key's id.
///
/// # Errors
/// When a file cannot be written or `trusted` is not a sound key file; then nothing was added to it.
pub fn create_keys(new: &NewKey, private: &Path, trusted: &Path) -> Result<String, KeyError> {
    new.check()?;
    let mut document = existing(trusted)?;
    let pair = Ed25519KeyPair::generate().map_err(|_| KeyError::Generate)?;
    // Version 1, without the public key: OpenSSL and with it Python and Java's tools read no other.
    let der = pair.to_pkcs8v1().map_err(|_| KeyError::Generate)?;
    write_private(private, pem(der.as_ref()).as_bytes())?;
    if let Some(keys) = document.get_mut("keys").and_then(Value::as_array_mut) {
        keys.push(new.to_jwk(pair.public_key().as_ref()));
    }
    replace(trusted, format!("{document:#}\n").as_bytes())?;
    Ok(thumbprint(pair.public_key().as_ref()))
}

fn existing(path: &Path) -> Result<Value, KeyError> {
    match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(json!({"keys": []})),
        Err(source) => Err(KeyError::Unreadable { path: path.to_owned(), source }),
        Ok(bytes) => {
            KeySet::parse(path, &bytes)?;
            serde_json::from_slice(&bytes)
                .map_err(|_| KeyError::BadKeySet { path: path.to_owned(), why: "it is not JSON".to_owned() })
        }
    }
}

fn pem(der: &[u8]) -> String {
    format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(der))
}
