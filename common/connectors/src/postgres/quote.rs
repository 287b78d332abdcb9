//! Quoting, in one place. Pure.

/// A quoted identifier.
pub fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('\0', "").replace('"', "\"\""))
}

/// A quoted literal; right for `standard_conforming_strings = on`, which every session of ours sets.
pub fn literal(text: &str) -> String {
    let text = text.replace('\0', "").replace('\'', "''");
    if text.contains('\\') { format!("E'{}'", text.replace('\\', "\\\\")) } else { format!("'{text}'") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_are_doubled_and_nothing_escapes() {
        assert_eq!(identifier(r#"a"b"#), r#""a""b""#);
        assert_eq!(identifier("Name with space; DROP TABLE x"), "\"Name with space; DROP TABLE x\"");
        assert_eq!(literal("it's"), "'it''s'");
        assert_eq!(literal(r"a\'b"), r"E'a\\''b'");
    }
}
