//! The checks of contract section 8, in an order that believes nothing before the signature fits. Pure: the time is the
//! broker's append time, so a replay decides the same.

use std::collections::BTreeSet;

use fail::fail_point;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, Validation, decode, decode_header};
use pursight_schemas::names::is_tenant_id;
use pursight_schemas::{CommandMeta, Micros, codec};
use uuid::Uuid;

use crate::claims::{LEEWAY_SECONDS, LONGEST_SECONDS, Received, sha256_hex};
use crate::error::{AttestationError, Flaw};
use crate::key_set::{KeySet, TrustedKey};
use crate::permission::Permission;

/// Longest header that is looked at; a sound one has about 700 bytes.
const LONGEST_TOKEN: usize = 8 * 1024;

/// What an attestation proves about its record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// The tenant: equal to the record key.
    pub tenant: String,
    /// Who asks.
    pub subject: String,
    /// Who vouches for that.
    pub issuer: String,
    /// Id of the key that signed.
    pub key_id: String,
    /// The one command that it is good for.
    pub command_id: Uuid,
    /// Avro full name of the record.
    pub command_type: &'static str,
    /// Lower-case hex of the SHA-256 of the value.
    pub payload_sha256: String,
    /// What both the attestation and the key allow.
    pub permissions: BTreeSet<Permission>,
}

impl Verified {
    /// Whether the publisher may do this.
    pub fn allows(&self, permission: Permission) -> bool {
        self.permissions.contains(&permission)
    }

    /// Holds the decoded command against the attestation: same tenant, same id, same principal.
    ///
    /// # Errors
    /// Why the record is a dead letter.
    pub fn check(&self, meta: &CommandMeta) -> Result<(), AttestationError> {
        if meta.tenant_id != self.tenant {
            return Err(AttestationError::WrongTenant("the command's"));
        }
        if meta.command_id != self.command_id {
            return Err(AttestationError::Invalid(Flaw::OtherCommand));
        }
        if meta.actor.principal != self.subject {
            return Err(AttestationError::Invalid(Flaw::Subject));
        }
        Ok(())
    }
}

impl KeySet {
    /// Verifies the attestation of one record, see [`crate::TrustedKeys::verify`].
    ///
    /// # Errors
    /// Why the record is a dead letter.
    pub fn verify(
        &self,
        header: Option<&str>,
        value: &[u8],
        record_key: &[u8],
        at: Micros,
    ) -> Result<Verified, AttestationError> {
        let token = header.filter(|text| !text.is_empty()).ok_or(AttestationError::Missing)?;
        let (key_id, key, claims) = self.opened(token).map_err(AttestationError::Invalid)?;
        if claims.iss != key.issuer {
            return Err(AttestationError::Invalid(Flaw::Issuer));
        }
        if !is_tenant_id(&claims.org) || !key.speaks_for(&claims.org) {
            return Err(AttestationError::WrongTenant("those that its key may speak for"));
        }
        if claims.org.as_bytes() != record_key {
            return Err(AttestationError::WrongTenant("the record key's"));
        }
        let command_type = bound(&claims, value).map_err(AttestationError::Invalid)?;
        timely(&claims, at).map_err(AttestationError::Invalid)?;
        let asked = claims.perms.iter().filter_map(|name| Permission::parse(name));
        Ok(Verified {
            permissions: asked.filter(|permission| key.permissions.contains(permission)).collect(),
            tenant: claims.org,
            subject: claims.sub,
            issuer: claims.iss,
            key_id,
            command_id: claims.cid,
            command_type,
            payload_sha256: claims.sha256,
        })
    }

    fn opened(&self, token: &str) -> Result<(String, &TrustedKey, Received), Flaw> {
        if token.len() > LONGEST_TOKEN {
            return Err(Flaw::Form);
        }
        let header = decode_header(token).map_err(|error| match error.kind() {
            // `none` and whatever else is not an algorithm of JOSE.
            ErrorKind::Json(_) => Flaw::Algorithm,
            _ => Flaw::Form,
        })?;
        if header.alg != Algorithm::EdDSA || header.crit.is_some() {
            return Err(Flaw::Algorithm);
        }
        let key_id = header.kid.ok_or(Flaw::UnknownKey)?;
        let key = self.keys.get(&key_id).ok_or(Flaw::UnknownKey)?;
        let opened = decode::<Received>(token, &key.key, &signature_only());
        let claims = opened.map_err(|error| match error.kind() {
            ErrorKind::InvalidSignature | ErrorKind::Base64(_) => Flaw::Signature,
            _ => Flaw::Claims,
        })?;
        Ok((key_id, key, claims.claims))
    }
}

/// The library checks the signature and nothing else: its clock is not the broker's.
fn signature_only() -> Validation {
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.algorithms = vec![Algorithm::EdDSA];
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    validation
}

fn bound(claims: &Received, value: &[u8]) -> Result<&'static str, Flaw> {
    if claims.sub.is_empty() {
        return Err(Flaw::Subject);
    }
    if !is_of(claims, value) {
        return Err(Flaw::OtherPayload);
    }
    match codec::full_name(value) {
        Ok(name) if name == claims.command_type => Ok(name),
        _ => Err(Flaw::OtherType),
    }
}

fn is_of(claims: &Received, value: &[u8]) -> bool {
    fail_point!("planted::attestation-not-bound-to-the-payload", |_| true);
    claims.sha256 == sha256_hex(value)
}

fn timely(claims: &Received, at: Micros) -> Result<(), Flaw> {
    let life = claims.exp.saturating_sub(claims.iat);
    if life <= 0 || life > LONGEST_SECONDS {
        return Err(Flaw::Lifetime);
    }
    let seconds = |time: i64| Micros(time.saturating_mul(1_000_000));
    if at < seconds(claims.iat).plus_seconds(-LEEWAY_SECONDS) {
        return Err(Flaw::Early);
    }
    if at > seconds(claims.exp).plus_seconds(LEEWAY_SECONDS) {
        return Err(Flaw::Expired);
    }
    Ok(())
}
