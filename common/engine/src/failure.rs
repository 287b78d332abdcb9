//! Our own failures and their three classes. A refusal and a customer's "no" are results, never failures.

use pursight_schemas::CodecError;

/// What the engine does about a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Retry in place, for ever: our infrastructure will come back.
    Transient,
    /// These bytes can never work: dead-letter them and go on.
    Poison,
    /// Stop and commit nothing: a person must look.
    Fatal,
}

/// Why a handler could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Broker, database or secret store is away or overloaded.
    #[error("{what}")]
    Transient {
        /// What we were doing.
        what: String,
        /// Why it failed.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// A message that can never be handled.
    #[error("{what}")]
    Poison {
        /// Stable code of the dead letter.
        code: &'static str,
        /// What is wrong with it.
        what: String,
    },
    /// Something that only a person can mend.
    #[error("{what}; {remedy}")]
    Fatal {
        /// What is wrong.
        what: String,
        /// What to do.
        remedy: String,
    },
    /// The partition was taken away, or the transaction aborted: nothing became visible, the engine starts again from
    /// the committed offset.
    #[error("the partition is no longer ours")]
    Lost,
    /// Our own record could not be written: a fault of the program.
    #[error("a record of ours cannot be written")]
    Write(#[from] CodecError),
}

impl Failure {
    /// A transient failure with its cause.
    pub fn transient(what: impl Into<String>, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Transient { what: what.into(), source: Some(Box::new(source)) }
    }

    /// A fatal failure with its remedy.
    pub fn fatal(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::Fatal { what: what.into(), remedy: remedy.into() }
    }

    /// Which of the three it is.
    pub fn class(&self) -> Class {
        match self {
            Self::Transient { .. } | Self::Lost => Class::Transient,
            Self::Poison { .. } => Class::Poison,
            Self::Fatal { .. } | Self::Write(_) => Class::Fatal,
        }
    }
}
