//! Names of sources: what is allowed, and when two are the same. Pure; the result travels in events because Unicode's
//! tables change.

use caseless::default_case_fold_str;
use unicode_normalization::UnicodeNormalization;

/// Longest name in characters.
pub const MAX_NAME_CHARS: usize = 128;

/// A name in the form in which it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceName {
    /// NFKC, trimmed.
    pub display: String,
    /// Case-folded: equal for names that may not exist twice.
    pub key: String,
}

/// Why a name is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing is left after trimming.
    #[error("a name needs at least one character")]
    Empty,
    /// More than [`MAX_NAME_CHARS`].
    #[error("a name has at most 128 characters")]
    TooLong,
    /// Control characters do not belong in names.
    #[error("a name has no control characters")]
    Control,
}

impl SourceName {
    /// Normalises a name, or says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let display = nfkc(text).trim().to_owned();
        if display.is_empty() {
            return Err(NameError::Empty);
        }
        if display.chars().any(char::is_control) {
            return Err(NameError::Control);
        }
        if display.chars().count() > MAX_NAME_CHARS {
            return Err(NameError::TooLong);
        }
        let key = folded(&display);
        Ok(Self { display, key })
    }
}

/// In ASCII it changes nothing, and most names are ASCII.
fn nfkc(text: &str) -> String {
    if text.is_ascii() { text.to_owned() } else { text.nfkc().collect() }
}

fn folded(text: &str) -> String {
    if text.is_ascii() { text.to_ascii_lowercase() } else { default_case_fold_str(text).nfkc().collect() }
}

/// Whether a text may name a tenant: `[a-z0-9][a-z0-9-]{0,62}`.
pub fn is_tenant_id(text: &str) -> bool {
    let bytes = text.as_bytes();
    (1..=63).contains(&bytes.len())
        && bytes[0] != b'-'
        && bytes.iter().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_equal_by_folded_form() -> Result<(), NameError> {
        assert_eq!(SourceName::parse(" Straße ")?.key, SourceName::parse("STRASSE")?.key);
        assert_eq!(SourceName::parse("ﬁle")?.display, "file");
        Ok(())
    }

    #[test]
    fn ascii_is_folded_as_unicode_says() {
        let all: String = (0..128_u8).map(char::from).collect();
        assert_eq!(nfkc(&all), all.nfkc().collect::<String>());
        assert_eq!(folded(&all), default_case_fold_str(&all).nfkc().collect::<String>());
    }

    #[test]
    fn bad_names_are_refused_with_the_reason() {
        assert_eq!(SourceName::parse(" \t "), Err(NameError::Empty));
        assert_eq!(SourceName::parse("a\u{7}b"), Err(NameError::Control));
        assert_eq!(SourceName::parse(&"x".repeat(129)), Err(NameError::TooLong));
        assert!(SourceName::parse(&"é".repeat(128)).is_ok());
    }

    #[test]
    fn tenants_are_short_lower_case_words() {
        assert!(is_tenant_id("acme-2"));
        for bad in ["", "-a", "Acme", "a_b", &"a".repeat(64)] {
            assert!(!is_tenant_id(bad), "{bad}");
        }
    }
}
