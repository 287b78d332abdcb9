//! How a command of the command line ends other than well: what happened, what to do, and the exit code. Knows nothing
//! of what the commands do.

use pursight_engine::kafka::AdminError;
use serde_json::{Value as Json, json};

/// Why a command did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The arguments or the settings do not make sense; nothing was tried.
    #[error("{what}")]
    Usage {
        /// What is wrong.
        what: String,
        /// What to do.
        remedy: String,
    },
    /// It was tried and is not possible.
    #[error("{what}")]
    Failed {
        /// What went wrong.
        what: String,
        /// What to do.
        remedy: String,
    },
    /// Broker or database do not answer.
    #[error("{what}")]
    Unreachable {
        /// Who does not answer.
        what: String,
        /// What to do.
        remedy: String,
    },
    /// The answer did not come in time; it may still come.
    #[error("{what}")]
    TimedOut {
        /// What was waited for.
        what: String,
        /// What to do.
        remedy: String,
    },
}

impl CliError {
    /// Wrong arguments or settings.
    pub fn usage(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::Usage { what: what.into(), remedy: remedy.into() }
    }

    /// Tried and not possible.
    pub fn failed(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::Failed { what: what.into(), remedy: remedy.into() }
    }

    /// No answer from a server.
    pub fn unreachable(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::Unreachable { what: what.into(), remedy: remedy.into() }
    }

    /// No answer in time.
    pub fn timed_out(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::TimedOut { what: what.into(), remedy: remedy.into() }
    }

    /// The process's exit code.
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Failed { .. } => 1,
            Self::Usage { .. } => 2,
            Self::Unreachable { .. } => 3,
            Self::TimedOut { .. } => 4,
        }
    }

    /// What to do about it.
    pub fn remedy(&self) -> &str {
        match self {
            Self::Usage { remedy, .. }
            | Self::Failed { remedy, .. }
            | Self::Unreachable { remedy, .. }
            | Self::TimedOut { remedy, .. } => remedy,
        }
    }

    /// The one document of `--json`.
    pub fn document(&self) -> Json {
        let kind = match self {
            Self::Failed { .. } => "FAILED",
            Self::Usage { .. } => "USAGE",
            Self::Unreachable { .. } => "UNREACHABLE",
            Self::TimedOut { .. } => "TIMED_OUT",
        };
        json!({"error": {"kind": kind, "message": self.to_string(), "remedy": self.remedy()}})
    }
}

impl From<AdminError> for CliError {
    fn from(error: AdminError) -> Self {
        let (what, remedy) = (chain(&error), error.remedy());
        match error {
            AdminError::Unreachable { .. } => Self::Unreachable { what, remedy },
            _ => Self::Failed { what, remedy },
        }
    }
}

/// An error with its causes, in one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let said = inner.to_string();
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = inner.source();
    }
    text
}
