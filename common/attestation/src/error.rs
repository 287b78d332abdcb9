//! What can be wrong with an attestation (a dead letter, never an outcome) and with a key file (a person must act).

use std::io;
use std::path::PathBuf;

/// Why a command's attestation is refused. Texts never repeat what a forger sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AttestationError {
    /// No `pursight-attestation` header.
    #[error("the record carries no attestation")]
    Missing,
    /// Not a sound attestation of this record.
    #[error("the attestation is refused: {0}")]
    Invalid(Flaw),
    /// Speaks for a tenant that the key, the record key or the command does not allow.
    #[error("the attestation is of another tenant than {0}")]
    WrongTenant(&'static str),
}

impl AttestationError {
    /// Stable code of the dead letter.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Missing => "ATTESTATION_MISSING",
            Self::Invalid(_) => "ATTESTATION_INVALID",
            Self::WrongTenant(_) => "WRONG_TENANT",
        }
    }
}

/// What exactly is wrong with an attestation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// Not a compact JWS with a JSON header, or too long.
    #[error("it is not a compact JWS")]
    Form,
    /// Another algorithm than EdDSA, or critical extensions.
    #[error("its algorithm is not EdDSA")]
    Algorithm,
    /// `kid` is absent or not in the key file.
    #[error("its key is not a trusted one")]
    UnknownKey,
    /// The signature does not fit.
    #[error("its signature does not fit")]
    Signature,
    /// A claim is absent or of the wrong type.
    #[error("a claim is missing or of the wrong type")]
    Claims,
    /// `iss` is not the key's issuer.
    #[error("its issuer is not the key's")]
    Issuer,
    /// `sub` is empty or not the command's actor.
    #[error("its subject is not the command's actor")]
    Subject,
    /// `type` is not the record's type.
    #[error("it attests a command of another type")]
    OtherType,
    /// `sha256` is not the value's.
    #[error("it attests another payload")]
    OtherPayload,
    /// `cid` is not the command's id.
    #[error("it attests another command")]
    OtherCommand,
    /// `exp` is not after `iat`, or more than a day after it.
    #[error("its life is longer than a day or ends before it begins")]
    Lifetime,
    /// Appended before `iat`.
    #[error("it is not valid yet at the record's append time")]
    Early,
    /// Appended after `exp`.
    #[error("it had expired at the record's append time")]
    Expired,
}

/// What is wrong with a key or a key file.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// Cannot be read.
    #[error("cannot read the key file {path}")]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Others may read a private key.
    #[error("the private key file {path} has mode {mode:04o}, others may read it")]
    TooOpen {
        /// Which file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Not an Ed25519 key as PKCS#8 PEM.
    #[error("{path} does not hold an Ed25519 private key as PKCS#8 PEM")]
    NotAKey {
        /// Which file.
        path: PathBuf,
    },
    /// Not a JWKS file as contract section 8 says.
    #[error("{path} is not a usable file of trusted keys: {why}")]
    BadKeySet {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A private key is never overwritten.
    #[error("{path} exists already, a private key is never overwritten")]
    Exists {
        /// Which file.
        path: PathBuf,
    },
    /// Cannot be written.
    #[error("cannot write {path}")]
    Unwritable {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// An issuer, tenant or list of permissions that makes no sense.
    #[error("{0}")]
    BadRequest(String),
    /// The library for cryptography refused.
    #[error("no key could be generated")]
    Generate,
}

impl KeyError {
    /// What to do about it.
    pub fn remedy(&self) -> String {
        match self {
            Self::Unreadable { path, .. } => {
                format!(
                    "make {} exist and readable by this user, or make keys with: pursight keys create",
                    path.display()
                )
            }
            Self::TooOpen { path, .. } => format!("run: chmod 600 {}", path.display()),
            Self::NotAKey { .. } => "make a key with: pursight keys create".to_owned(),
            Self::BadKeySet { path, .. } => {
                format!("mend {} or make it anew with: pursight keys create", path.display())
            }
            Self::Exists { .. } => "name another file with --out, or remove this one first".to_owned(),
            Self::Unwritable { path, .. } => format!("make the folder of {} writable for this user", path.display()),
            Self::BadRequest(_) => "see: pursight keys create --help".to_owned(),
            Self::Generate => "run it again; if it stays, the machine has no source of randomness".to_owned(),
        }
    }
}
