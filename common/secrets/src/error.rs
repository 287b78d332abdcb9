//! Why a secret could not be had. Errors name the reference and the store, never a value and never a store's own text.

use std::fmt;

/// Why there is no value. Cheap to clone, because everybody who waited for one flight gets it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// The reference leads to nothing: malformed, of another tenant, not allowed, or no such secret.
    #[error("no secret for {reference}: {why}")]
    NotFound {
        /// The reference as it was given, or a placeholder where it is malformed.
        reference: String,
        /// What is wrong.
        why: String,
        /// What to do.
        remedy: String,
    },
    /// The store did not give it.
    #[error("secret store of {reference} gave nothing: {cause}")]
    Unavailable {
        /// The reference.
        reference: String,
        /// Why.
        cause: Cause,
    },
}

/// Why a store gives nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// Too many requests.
    Throttled,
    /// The store refuses us.
    Denied,
    /// Not reachable, too slow, or failing.
    Down,
    /// This process has no such store.
    NotConfigured,
    /// A sealed value that no key opens, or that is not what its row says.
    Unreadable,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Throttled => "it asks for fewer requests (throttled)",
            Self::Denied => "it denies us access",
            Self::Down => "it is down or too slow",
            Self::NotConfigured => "it is not configured here",
            Self::Unreadable => "the sealed value does not open, or is not what its place says",
        })
    }
}

impl SecretError {
    pub(crate) fn unavailable(reference: impl ToString, cause: Cause) -> Self {
        Self::Unavailable { reference: reference.to_string(), cause }
    }

    pub(crate) fn not_found(reference: impl ToString, why: &str, remedy: impl Into<String>) -> Self {
        Self::NotFound { reference: reference.to_string(), why: why.to_owned(), remedy: remedy.into() }
    }

    /// Stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "SECRET_NOT_FOUND",
            Self::Unavailable { .. } => "SECRET_STORE_UNAVAILABLE",
        }
    }

    /// Whether trying again later may help.
    pub const fn retryable(&self) -> bool {
        matches!(self, Self::Unavailable { cause: Cause::Throttled | Cause::Down, .. })
    }

    /// What a person can do.
    pub fn remedy(&self) -> String {
        let Self::Unavailable { reference, cause } = self else {
            let Self::NotFound { remedy, .. } = self else { return String::new() };
            return remedy.clone();
        };
        match cause {
            Cause::Throttled => "wait; if it stays, ask for a higher request rate of the store".to_owned(),
            Cause::Denied => format!("give the worker's identity the right to read {reference}"),
            Cause::Down => "see whether the store is up and reachable from the workers".to_owned(),
            Cause::NotConfigured => {
                "set up that store for the workers (see: pursight settings), or store the secret elsewhere".to_owned()
            }
            Cause::Unreadable => {
                "put the key that sealed it back into PURSIGHT_SECRET_KEYS_FILE, or seal the value again".to_owned()
            }
        }
    }
}
