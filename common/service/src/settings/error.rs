//! What is wrong with the environment. Names the variable and never repeats a value.

use std::fmt;

use super::table::find;

/// Everything that is wrong, in the order of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingsError(pub Vec<Fault>);

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A name that nobody reads.
    #[error("{name} is not a setting{}", nearest.map(|near| format!(", did you mean {near}?")).unwrap_or_default())]
    Unknown {
        /// The variable.
        name: String,
        /// The known name most like it.
        nearest: Option<&'static str>,
    },
    /// A value that cannot be.
    #[error("{name}: expected {expected}")]
    Invalid {
        /// The variable.
        name: &'static str,
        /// What would be right.
        expected: String,
    },
    /// Needed here and not set.
    #[error("{name} is not set: {meaning}")]
    Missing {
        /// The variable.
        name: &'static str,
        /// What it is for.
        meaning: &'static str,
    },
    /// A password that drivers would pick up by themselves.
    #[error("PGPASSWORD is set, a worker does not start with it: unset it, PurSight reads no PG* variables")]
    PgPassword,
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{fault}")?;
        }
        Ok(())
    }
}

impl std::error::Error for SettingsError {}

pub(super) fn missing(name: &'static str) -> SettingsError {
    let meaning = find(name).map_or("", |setting| setting.meaning);
    SettingsError(vec![Fault::Missing { name, meaning }])
}
