//! The last net: takes out of a text what looks like a secret. Nothing should ever rely on it alone.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::{Regex, RegexSet};

/// Patterns and what replaces them. In key=value pairs the value may be quoted, also with the escaped quotes of JSON in
/// JSON; the quotes stay, so that a JSON line remains one.
const PATTERNS: [(&str, &str); 5] = [
    (r"(?s)-----BEGIN [A-Z0-9 ]+-----.*?(?:-----END [A-Z0-9 ]+-----|$)", "[redacted PEM]"),
    (r#"([A-Za-z][A-Za-z0-9+.-]*://)[^\s"'<>\\]*@"#, "${1}[redacted]@"),
    (r"\beyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*", "[redacted JWT]"),
    (r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b", "[redacted AWS key]"),
    (
        r#"(?ix)
        ( (?:password|passwd|pwd|secret|token|api_?key|private_?key|access_?key|credentials?)
          \\?["']? \s* [=:] \s* )
        (?: (\\")(?:[^"\\]|\\[^"])*\\" | (")(?:[^"\\]|\\.)*" | (')[^']*' | [^\s"',;&}\\]+ )"#,
        "${1}${2}${3}${4}[redacted]${2}${3}${4}",
    ),
];

static REDACTIONS: LazyLock<Vec<(Regex, &'static str)>> = LazyLock::new(|| {
    let compiled = PATTERNS.iter().filter_map(|(pattern, with)| Some((Regex::new(pattern).ok()?, *with)));
    compiled.collect()
});

/// All patterns at once: nearly every text holds none of them, and is then looked through only once.
static ANY: LazyLock<RegexSet> =
    LazyLock::new(|| RegexSet::new(PATTERNS.map(|(pattern, _)| pattern)).unwrap_or_default());

/// The text without anything that looks like a secret: user information of URLs, PEM blocks, JWTs, AWS key ids, values of
/// keys such as `password`.
pub fn redact(text: &str) -> Cow<'_, str> {
    let mut text = Cow::Borrowed(text);
    if !ANY.is_match(&text) {
        return text;
    }
    for (pattern, with) in REDACTIONS.iter() {
        if let Cow::Owned(changed) = pattern.replace_all(&text, *with) {
            text = Cow::Owned(changed);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_pattern_is_in_use() {
        assert_eq!((REDACTIONS.len(), ANY.len()), (PATTERNS.len(), PATTERNS.len()));
    }

    #[test]
    fn what_looks_like_a_secret_goes_and_its_surroundings_stay() {
        for (text, expected) in [
            ("to postgres://u:canary@h:5/d now", "to postgres://[redacted]@h:5/d now"),
            ("postgres://u:p@canary/@h/d", "postgres://[redacted]@h/d"),
            ("a -----BEGIN PRIVATE KEY-----\ncanary\n-----END PRIVATE KEY----- b", "a [redacted PEM] b"),
            ("-----BEGIN RSA PRIVATE KEY-----\\ncanary", "[redacted PEM]"),
            ("jws eyJhbGciOiJ.eyJjYW5hcnki.c2ln end", "jws [redacted JWT] end"),
            ("id AKIAIOSFODNN7EXAMPLE.", "id [redacted AWS key]."),
            ("host=h password=canary user=u", "host=h password=[redacted] user=u"),
            ("password='canary 1' user=u", "password='[redacted]' user=u"),
            (r#"{"db_password":"canary \" 1","user":"u"}"#, r#"{"db_password":"[redacted]","user":"u"}"#),
            (r#""{\"token\":\"canary 1\",\"a\":1}""#, r#""{\"token\":\"[redacted]\",\"a\":1}""#),
            ("api_key: canary", "api_key: [redacted]"),
        ] {
            assert_eq!(redact(text), expected);
        }
    }

    #[test]
    fn ordinary_lines_are_left_alone() {
        for text in [
            r#"{"level":"INFO","error.code":"SECRET_NOT_FOUND","reference":"sealed://acme/orders"}"#,
            "SECRET_NOT_FOUND: no secret for sealed://acme/orders",
            "http://127.0.0.1:9464/metrics",
        ] {
            assert!(matches!(redact(text), Cow::Borrowed(_)), "{text}");
        }
    }

    fn placed(secrets: &'static str, place: impl Fn(&str) -> String) -> impl Strategy<Value = (String, String)> {
        secrets.prop_map(move |secret| (place(&secret), secret))
    }

    /// Each place that a secret may stand in, around secrets that may stand there.
    fn any_place() -> impl Strategy<Value = (String, String)> {
        prop_oneof![
            placed(r"[!#-&(-;=?-\[\]-~]{8,24}", |one| format!("postgres+tls://user:{one}@host/db")),
            placed(r"[!#-%(-+\-.-:<-\[\]-|~]{8,24}", |one| format!("password={one}")),
            placed("[ -&(-~]{8,24}", |one| format!("passwd = '{one}'")),
            placed("[\\PC\n\"]{8,24}", |one| serde_json::json!({"api_key": one, "a": 1}).to_string()),
            placed("[A-Za-z0-9+/\n]{8,24}", |one| {
                format!("-----BEGIN PRIVATE KEY-----\n{one}\n-----END PRIVATE KEY-----")
            }),
            placed("[A-Za-z0-9_-]{8,24}", |one| format!("eyJhbGciOiJ.{one}.{one}")),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_secret_passes_in_any_place((text, secret) in any_place(), before in "([a-z]{0,8} ){0,3}", after in "( [a-z.]{0,8}){0,3}") {
            let line = format!("{before}{text}{after}");
            let shown = redact(&line);
            let escaped = serde_json::json!(&secret).to_string();
            prop_assert!(!shown.contains(&secret) && !shown.contains(escaped.trim_matches('"')), "{line} is shown as {shown}");
            prop_assert_eq!(redact(&shown), shown.as_ref(), "what is clean stays as it is");
        }

        #[test]
        fn any_text_is_redacted_without_a_panic_and_once(text in "\\PC{0,80}|[a-z=:/@'\"\\\\ -]{0,80}") {
            let shown = redact(&text).into_owned();
            prop_assert!(shown.len() <= 4 * text.len() + 32);
        }
    }
}
