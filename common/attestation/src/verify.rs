//! The checks of contract section 8, in an order that believes nothing before the signature fits. Pure: the time is the
//! broker's append time, and what a signature is worth does not depend on which others it is verified with, so a replay
//! decides the same.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_zebra::{Signature, batch};
use fail::fail_point;
use jsonwebtoken::dangerous::insecure_decode_claims;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, decode_header};
use pursight_schemas::hash::sha256_hex;
use pursight_schemas::names::is_tenant_id;
use pursight_schemas::{CommandMeta, Micros, codec};
use rand_core::OsRng;
use uuid::Uuid;

use crate::claims::{LEEWAY_SECONDS, LONGEST_SECONDS, Received};
use crate::error::{AttestationError, Flaw};
use crate::key_set::{KeySet, TrustedKey};
use crate::permission::Permission;

/// Longest header that is looked at; a sound one has about 700 bytes.
const LONGEST_TOKEN: usize = 8 * 1024;

/// A record, as far as its attestation is about it.
#[derive(Debug, Clone, Copy)]
pub struct Presented<'r> {
    /// Value of [`crate::HEADER`].
    pub header: Option<&'r str>,
    /// The framed value.
    pub value: &'r [u8],
    /// The record key.
    pub record_key: &'r [u8],
    /// The broker's append time.
    pub at: Micros,
}

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
    pub fn verify(&self, record: &Presented<'_>) -> Result<Verified, AttestationError> {
        let sealed = self.sealed(record.header)?;
        sealed.fits()?;
        sealed.open(record)
    }

    /// Verifies the attestations of many records, each as [`KeySet::verify`] would. While all signatures fit this takes
    /// a fourth of the time.
    pub fn verify_all(&self, records: &[Presented<'_>]) -> Vec<Result<Verified, AttestationError>> {
        let sealed: Vec<_> = records.iter().map(|record| self.sealed(record.header)).collect();
        let mut together = batch::Verifier::new();
        for one in sealed.iter().flatten() {
            together.queue((one.key.key.into(), one.signature, one.signed));
        }
        let all_fit = together.verify(OsRng).is_ok();
        let each = sealed.into_iter().zip(records).map(|(sealed, record)| {
            let sealed = sealed?;
            if !all_fit {
                sealed.fits()?;
            }
            sealed.open(record)
        });
        each.collect()
    }

    fn sealed<'k, 't>(&'k self, header: Option<&'t str>) -> Result<Sealed<'k, 't>, AttestationError> {
        let token = header.filter(|text| !text.is_empty()).ok_or(AttestationError::Missing)?;
        self.of_trusted_key(token).map_err(AttestationError::Invalid)
    }

    fn of_trusted_key<'k, 't>(&'k self, token: &'t str) -> Result<Sealed<'k, 't>, Flaw> {
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
        let (signed, signature) = token.rsplit_once('.').ok_or(Flaw::Form)?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok().and_then(|bytes| Signature::from_slice(&bytes).ok());
        Ok(Sealed { token, key_id, key, signed: signed.as_bytes(), signature: signature.ok_or(Flaw::Signature)? })
    }
}

/// A token that names a trusted key. Nothing else of it may be believed before its signature fits.
struct Sealed<'k, 't> {
    token: &'t str,
    key_id: String,
    key: &'k TrustedKey,
    /// Header and claims as they were sent.
    signed: &'t [u8],
    signature: Signature,
}

impl Sealed<'_, '_> {
    fn fits(&self) -> Result<(), AttestationError> {
        let fits = self.key.key.verify(&self.signature, self.signed);
        fits.map_err(|_| AttestationError::Invalid(Flaw::Signature))
    }

    /// What it proves about the record, now that its signature fits.
    fn open(self, record: &Presented<'_>) -> Result<Verified, AttestationError> {
        let key = self.key;
        // The library's checks are left out: the signature was verified, and its clock is not the broker's.
        let claims: Received =
            insecure_decode_claims(self.token).map_err(|_| AttestationError::Invalid(Flaw::Claims))?;
        if claims.iss != key.issuer {
            return Err(AttestationError::Invalid(Flaw::Issuer));
        }
        if !is_tenant_id(&claims.org) || !key.speaks_for(&claims.org) {
            return Err(AttestationError::WrongTenant("those that its key may speak for"));
        }
        if claims.org.as_bytes() != record.record_key {
            return Err(AttestationError::WrongTenant("the record key's"));
        }
        let command_type = bound(&claims, record.value).map_err(AttestationError::Invalid)?;
        timely(&claims, record.at).map_err(AttestationError::Invalid)?;
        let asked = claims.perms.iter().filter_map(|name| Permission::parse(name));
        Ok(Verified {
            permissions: asked.filter(|permission| key.permissions.contains(permission)).collect(),
            tenant: claims.org,
            subject: claims.sub,
            issuer: claims.iss,
            key_id: self.key_id,
            command_id: claims.cid,
            command_type,
            payload_sha256: claims.sha256,
        })
    }
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
