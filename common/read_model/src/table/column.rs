//! From rows to the arrays that `UNNEST` takes. PostgreSQL's text and JSON cannot hold U+0000, which a customer's server
//! or a hostile publisher may send: it becomes U+FFFD here, in one place.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::Value;

const NUL: char = '\0';
const REPLACEMENT: &str = "\u{fffd}";

fn clean(text: &str) -> Cow<'_, str> {
    if text.contains(NUL) { Cow::Owned(text.replace(NUL, REPLACEMENT)) } else { Cow::Borrowed(text) }
}

fn clean_json(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(clean(text).into_owned()),
        Value::Array(items) => items.iter().map(clean_json).collect(),
        Value::Object(fields) => {
            fields.iter().map(|(key, value)| (clean(key).into_owned(), clean_json(value))).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

fn json_text(value: &Value) -> String {
    let text = value.to_string();
    // Only a cheap sign that cleaning may be needed; an escaped backslash before it is harmless.
    if text.contains("\\u0000") { clean_json(value).to_string() } else { text }
}

/// A text column.
pub(crate) fn text<R>(rows: &[R], of: impl Fn(&R) -> &String) -> Vec<Cow<'_, str>> {
    rows.iter().map(|row| clean(of(row))).collect()
}

/// A text column that may be null.
pub(crate) fn text_or_null<R>(rows: &[R], of: impl Fn(&R) -> Option<&str>) -> Vec<Option<Cow<'_, str>>> {
    rows.iter().map(|row| of(row).map(clean)).collect()
}

/// A JSON column, as text.
pub(crate) fn json<R>(rows: &[R], of: impl Fn(&R) -> &Value) -> Vec<String> {
    rows.iter().map(|row| json_text(of(row))).collect()
}

/// A JSON column that may be null, as text.
pub(crate) fn json_or_null<R>(rows: &[R], of: impl Fn(&R) -> Option<&Value>) -> Vec<Option<String>> {
    rows.iter().map(|row| of(row).map(json_text)).collect()
}

/// An array column, as JSON text: `UNNEST` would flatten arrays of arrays.
pub(crate) fn list<R, T: Serialize>(rows: &[R], of: impl Fn(&R) -> &Vec<T>) -> Vec<String> {
    rows.iter().map(|row| json_text(&serde_json::json!(of(row)))).collect()
}

/// A column of numbers, ids, times or flags.
pub(crate) fn copied<R, T>(rows: &[R], of: impl Fn(&R) -> T) -> Vec<T> {
    rows.iter().map(of).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_postgresql_cannot_hold_is_replaced_and_nothing_else() {
        assert_eq!(clean("a\0b"), "a\u{fffd}b");
        assert_eq!(json_text(&json!({"k\0": ["\0"]})), "{\"k\u{fffd}\":[\"\u{fffd}\"]}");
        assert_eq!(json_text(&json!("\\u0000")), "\"\\\\u0000\"");
    }
}
