//! Texts of customers and tenants: printed SQL, globs, hosts, egress entries, names to be quoted, what logs may say.
#![no_main]

use std::collections::HashSet;

use libfuzzer_sys::fuzz_target;
use pursight_connectors::EgressPolicy;
use pursight_connectors::fuzzing::{host, nearest};
use pursight_connectors::postgres::catalog::glob;
use pursight_connectors::postgres::{identifier, literal};
use pursight_fuzz::{justified, within};

#[path = "../../../common/service/src/telemetry/redact.rs"]
mod redact;
#[path = "../../../workers/discovery/src/echo/tokens.rs"]
#[allow(dead_code)]
mod tokens;

fuzz_target!(|input: &[u8]| {
    // Matching a glob takes the product of both lengths, and a tenant's globs are short.
    let text = String::from_utf8_lossy(&input[..input.len().min(4096)]).into_owned();
    let most = justified(64 * text.len());
    within(most, || printed_sql(&text));
    within(most, || globs(&text));
    within(most, || addresses(&text));
    within(most, || quoted(&text));
    within(most, || redact::redact(&text).into_owned());
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    if let Some((wanted, names)) = lines.split_first() {
        assert!(nearest(wanted, &names[..names.len().min(50)]).len() <= 5);
    }
});

fn printed_sql(text: &str) {
    let none: HashSet<(String, String)> = HashSet::new();
    let cut = tokens::lex(text);
    assert!(tokens::same_under(&cut, &cut, &none), "a text is itself");
    assert_eq!(tokens::without_casts(&cut), tokens::without_casts(&tokens::lex(text)));
    if let Some((before, after)) = text.split_once('\n') {
        let (before, after) = (tokens::lex(before), tokens::lex(after));
        let pairs: HashSet<_> = [("a".to_owned(), "b".to_owned())].into();
        tokens::same_under(&before, &after, &pairs);
        assert_eq!(tokens::same_under(&before, &after, &none), tokens::same_under(&before, &after, &none));
    }
}

fn globs(text: &str) {
    let (pattern, name) = text.split_once('\n').unwrap_or((text, text));
    let matched = glob::matches(pattern, name);
    if pattern == "*" {
        assert!(matched, "everything matches *");
    }
    let plain: String = name.chars().flat_map(|c| ['\\', c]).collect();
    assert!(glob::matches(&plain, name), "an escaped text matches itself");
    assert!(glob::like(&[pattern.to_owned()]).len() <= 1);
}

fn addresses(text: &str) {
    if let Some(host) = host(text) {
        assert!(host.is_ascii() && host.len() <= 253 && !host.contains(['/', '@', ' ', '%', '?', '#']), "{host:?}");
        assert_eq!(pursight_connectors::fuzzing::host(&host).as_deref(), Some(host.as_str()), "one reading only");
    }
    if let Ok(policy) = EgressPolicy::parse(text) {
        for forbidden in
            ["169.254.169.254:80", "[::ffff:169.254.169.254]:80", "0.0.0.0:1", "[fe80::1]:1", "224.0.0.1:1"]
        {
            assert!(policy.check(forbidden.parse().expect("an address")).is_err(), "{text:?} allows {forbidden}");
        }
    }
}

fn quoted(text: &str) {
    let name = identifier(text);
    let inner = name.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).expect("quotes around it");
    assert_eq!(inner.replace("\"\"", "").matches('"').count(), 0, "{name}");
    assert!(!name.contains('\0') && !literal(text).contains('\0'));
    // The tokenizer reads what the quoting writes.
    if !text.contains('\0') {
        assert_eq!(tokens::lex(&name), [tokens::Token::Name(text.to_owned())]);
    }
}
