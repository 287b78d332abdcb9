//! What is wrong with a command, all of it, each fault with a JSON pointer. Pure; knows nothing of other sources.
//! Messages never repeat a value: it may be a secret that came to the wrong place.

pub mod address;
mod exposed;
pub mod meta;
pub mod options;
pub mod patch;
pub mod reference;
pub mod scope;
pub mod secret;
pub mod spec;

use pursight_schemas::{SourceType, Violation};

pub use exposed::exposed;

/// Codes of refusals, as the contract lists them.
pub mod code {
    /// Another live source has the name.
    pub const NAME_TAKEN: &str = "NAME_TAKEN";
    /// There is no such source.
    pub const UNKNOWN_SOURCE: &str = "UNKNOWN_SOURCE";
    /// The source has changed since the publisher last saw it.
    pub const VERSION_CONFLICT: &str = "VERSION_CONFLICT";
    /// A value that is missing or not allowed.
    pub const INVALID_FIELD: &str = "INVALID_FIELD";
    /// A name that is no field.
    pub const UNKNOWN_FIELD: &str = "UNKNOWN_FIELD";
    /// No connector for this type.
    pub const UNSUPPORTED_TYPE: &str = "UNSUPPORTED_TYPE";
    /// An option that is not on the type's list.
    pub const UNKNOWN_OPTION: &str = "UNKNOWN_OPTION";
    /// Something that looks like a secret where none belongs.
    pub const SECRET_IN_PROPERTIES: &str = "SECRET_IN_PROPERTIES";
    /// A value where a reference to a secret belongs.
    pub const PLAINTEXT_SECRET: &str = "PLAINTEXT_SECRET";
    /// Less TLS than the location demands.
    pub const TLS_DOWNGRADE: &str = "TLS_DOWNGRADE";
    /// The publisher may not do this.
    pub const PERMISSION_DENIED: &str = "PERMISSION_DENIED";
    /// The source is paused.
    pub const SOURCE_PAUSED: &str = "SOURCE_PAUSED";
    /// The source is deleted.
    pub const SOURCE_DELETED: &str = "SOURCE_DELETED";
    /// The source is not deleted.
    pub const SOURCE_NOT_DELETED: &str = "SOURCE_NOT_DELETED";
    /// The run is over.
    pub const RUN_ENDED: &str = "RUN_ENDED";
    /// There is no such run.
    pub const UNKNOWN_RUN: &str = "UNKNOWN_RUN";
    /// The tenant has as many sources as it may have.
    pub const QUOTA_EXCEEDED: &str = "QUOTA_EXCEEDED";

    /// Every code of a refusal.
    pub const ALL: [&str; 17] = [
        NAME_TAKEN,
        UNKNOWN_SOURCE,
        VERSION_CONFLICT,
        INVALID_FIELD,
        UNKNOWN_FIELD,
        UNSUPPORTED_TYPE,
        UNKNOWN_OPTION,
        SECRET_IN_PROPERTIES,
        PLAINTEXT_SECRET,
        TLS_DOWNGRADE,
        PERMISSION_DENIED,
        SOURCE_PAUSED,
        SOURCE_DELETED,
        SOURCE_NOT_DELETED,
        RUN_ENDED,
        UNKNOWN_RUN,
        QUOTA_EXCEEDED,
    ];
}

/// Most violations of one refusal: a hostile command must not make a record that the log refuses.
const MOST: usize = 100;

/// Violations as they are found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Violations {
    found: Vec<Violation>,
    more: usize,
}

impl Violations {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// One more; the same one twice counts once.
    pub fn add(&mut self, path: impl Into<String>, code: &str, message: impl Into<String>) {
        let violation = Violation { path: path.into(), code: code.to_owned(), message: message.into() };
        if self.found.contains(&violation) {
            return;
        }
        if self.found.len() < MOST {
            self.found.push(violation);
        } else {
            self.more += 1;
        }
    }

    /// A value that is missing or not allowed.
    pub fn invalid(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.add(path, code::INVALID_FIELD, message);
    }

    /// All of another's, at the paths that `rebase` gives them; those to which it gives none are left out.
    pub fn extend(&mut self, other: Violations, rebase: impl Fn(&str) -> Option<String>) {
        for violation in other.found {
            if let Some(path) = rebase(&violation.path) {
                self.add(path, &violation.code, violation.message);
            }
        }
        self.more += other.more;
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// How many were found.
    pub fn len(&self) -> usize {
        self.found.len() + self.more
    }

    /// As the contract carries them.
    pub fn into_list(mut self) -> Vec<Violation> {
        if self.more > 0 {
            let message = format!("and {} more, not listed", self.more);
            self.found.push(Violation { path: String::new(), code: code::INVALID_FIELD.to_owned(), message });
        }
        self.found
    }
}

/// A key as part of a JSON pointer. Keys that may hold a secret, or that no sane person wrote, are not repeated.
pub fn pointer(key: &str) -> String {
    let plain = !key.is_empty() && key.len() <= 128 && !key.chars().any(char::is_control);
    if plain && !secret::is_secret_text(key) {
        key.replace('~', "~0").replace('/', "~1")
    } else {
        "(hidden)".to_owned()
    }
}

/// Faults of one text: its length in bytes and control characters.
pub(crate) fn text(found: &mut Violations, path: &str, text: &str, most_bytes: usize, lines: bool) {
    if text.len() > most_bytes {
        found.invalid(path, format!("at most {most_bytes} bytes are allowed"));
    }
    if text.chars().any(|each| each.is_control() && !(lines && matches!(each, '\n' | '\r' | '\t'))) {
        found.invalid(path, "control characters are not allowed");
    }
}

/// Symbols in a sentence.
pub(crate) fn listed(types: &[SourceType]) -> String {
    types.iter().map(|one| one.symbol()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_faults_is_cut() {
        let mut found = Violations::new();
        for at in 0..1_000 {
            found.invalid(format!("/{at}"), "wrong");
            found.invalid(format!("/{at}"), "wrong");
        }
        assert_eq!(found.len(), 1_000 + 900);
        assert_eq!(found.into_list().len(), MOST + 1);
    }

    #[test]
    fn keys_that_hold_secrets_are_not_repeated() {
        assert_eq!(pointer("a/b~c"), "a~1b~0c");
        assert_eq!(pointer("password=hunter2"), "(hidden)");
        assert_eq!(pointer("a\0b"), "(hidden)");
    }
}
