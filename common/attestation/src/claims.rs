//! What an attestation says: who asks, for which tenant, for exactly which command.

use pursight_schemas::hash::sha256_hex;
use pursight_schemas::{CodecError, Micros, codec};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::permission::Permission;

/// Longest life of an attestation.
pub const LONGEST_SECONDS: i64 = 86_400;
/// Life of an attestation that nobody gave another one.
pub const USUAL_SECONDS: i64 = 3_600;
/// How far the clocks of publisher and broker may be apart.
pub const LEEWAY_SECONDS: i64 = 60;

/// In whose name commands are signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publisher {
    /// Issuer of the key.
    pub issuer: String,
    /// The tenant spoken for.
    pub tenant: String,
    /// The principal who asks.
    pub subject: String,
    /// What is asked for; granted is what the key allows too.
    pub permissions: Vec<Permission>,
}

/// The claims of one attestation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// `iss`, `org`, `sub`, `perms`.
    pub publisher: Publisher,
    /// `cid`.
    pub command_id: Uuid,
    /// `type`: Avro full name.
    pub command_type: String,
    /// Lower-case hex of the SHA-256 of the whole value.
    pub sha256: String,
    /// `iat`, seconds.
    pub issued_at: i64,
    /// `exp`, seconds.
    pub expires_at: i64,
}

impl Claims {
    /// Claims for a framed value, valid from `at` for [`USUAL_SECONDS`].
    ///
    /// # Errors
    /// When the value is not framed or its schema id is not known.
    pub fn of(publisher: Publisher, command_id: Uuid, value: &[u8], at: Micros) -> Result<Self, CodecError> {
        let command_type = codec::full_name(value)?.to_owned();
        let issued_at = at.0.div_euclid(1_000_000);
        let expires_at = issued_at + USUAL_SECONDS;
        Ok(Self { publisher, command_id, command_type, sha256: sha256_hex(value), issued_at, expires_at })
    }

    pub(crate) fn to_json(&self) -> Value {
        let permissions: Vec<&str> = self.publisher.permissions.iter().map(|one| one.as_str()).collect();
        json!({
            "iss": self.publisher.issuer,
            "org": self.publisher.tenant,
            "sub": self.publisher.subject,
            "perms": permissions,
            "cid": self.command_id,
            "type": self.command_type,
            "sha256": self.sha256,
            "iat": self.issued_at,
            "exp": self.expires_at,
        })
    }
}

/// Claims as they arrive. Types are strict: a time as text is refused.
#[derive(Deserialize)]
pub(crate) struct Received {
    pub iss: String,
    pub org: String,
    pub sub: String,
    pub perms: Vec<String>,
    pub cid: Uuid,
    #[serde(rename = "type")]
    pub command_type: String,
    pub sha256: String,
    pub iat: i64,
    pub exp: i64,
}
