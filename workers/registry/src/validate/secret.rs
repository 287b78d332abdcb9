//! Recognises what looks like a secret in fields that are shown to everybody.
//! Knows patterns only; where a secret belongs is in `reference`.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::Regex;

use super::{Violations, code, pointer};

/// A pattern that is known to compile: `None` is excluded by a test.
type Pattern = LazyLock<Option<Regex>>;

static NAMES: Pattern =
    LazyLock::new(|| Regex::new(r"(?i)password|passwd|pwd|secret|token|api_?key|private_?key|credential").ok());

/// Forms that are secret wherever they stand: PEM blocks, JWTs, AWS key ids, user info in URLs, `password=…`.
static TEXTS: Pattern = LazyLock::new(|| {
    Regex::new(concat!(
        r"-----BEGIN [A-Z0-9 ]+-----",
        r"|\beyJ[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]*",
        r"|\b(AKIA|ASIA|AROA|AIDA)[A-Z0-9]{16}\b",
        r"|[A-Za-z][A-Za-z0-9+.-]*://[^/\s@]*@",
        r"|(?i:(password|passwd|pwd|secret|token|api_?key|private_?key|credential)s?\s*[=:]\s*\S)",
    ))
    .ok()
});

fn matches(pattern: &Pattern, text: &str) -> bool {
    // Without a pattern everything is suspect: refusing is the safe side.
    pattern.as_ref().is_none_or(|pattern| pattern.is_match(text))
}

/// Whether a key says that its value is a secret.
pub fn is_secret_name(key: &str) -> bool {
    matches(&NAMES, key)
}

/// Whether a text holds a secret in a form that is known.
pub fn is_secret_text(text: &str) -> bool {
    matches(&TEXTS, text)
}

const REMEDY: &str =
    "this looks like a secret; seal it with `pursight secret seal` and give its reference as credential";

/// Refuses secrets in a text that people read.
pub fn in_text(found: &mut Violations, path: &str, text: &str) {
    if is_secret_text(text) {
        found.add(path, code::SECRET_IN_PROPERTIES, REMEDY);
    }
}

/// Refuses secrets in a map, by key or by value.
pub fn in_map(found: &mut Violations, path: &str, map: &BTreeMap<String, String>) {
    for (key, value) in map {
        if is_secret_name(key) || is_secret_text(key) || is_secret_text(value) {
            found.add(format!("{path}/{}", pointer(key)), code::SECRET_IN_PROPERTIES, REMEDY);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_compiles() {
        assert!(NAMES.is_some() && TEXTS.is_some());
    }

    #[test]
    fn secrets_are_recognised_by_name_and_by_form() {
        for name in ["password", "DB_PASSWD", "pwd", "clientSecret", "apiKey", "api_key", "PRIVATE_KEY", "aws_token"] {
            assert!(is_secret_name(name), "{name}");
        }
        for text in [
            "-----BEGIN RSA PRIVATE KEY-----",
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
            "key AKIAIOSFODNN7EXAMPLE in use",
            "postgresql://ada:hunter2@db/shop",
            "https://token@example.org/",
            "host=db;Password=hunter2",
            "pwd: hunter2",
        ] {
            assert!(is_secret_text(text), "{text}");
        }
    }

    #[test]
    fn ordinary_words_pass() {
        for text in ["rotates its password monthly", "https://wiki.example/db", "a@b.example", "the secret garden"] {
            assert!(!is_secret_text(text), "{text}");
        }
        assert!(!is_secret_name("region"));
    }
}
