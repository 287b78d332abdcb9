//! Paths and values of changes as text, both ways.
//! Owns how names are put into a path and how a whole part (a column, a constraint, an index) is written as JSON
//! without its empty members; must not know which changes there are.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// `columns/name/type`: a list, the part's name as it is, a property. The kind of a change says where the name ends.
pub fn join(parts: &[&str]) -> String {
    parts.join("/")
}

/// The part's name in a path, between its list and the property.
pub fn part<'a>(path: &'a str, list: &str, property: Option<&str>) -> Option<&'a str> {
    let rest = path.strip_prefix(list)?.strip_prefix('/')?;
    match property {
        None => Some(rest),
        Some(property) => rest.strip_suffix(property)?.strip_suffix('/'),
    }
}

/// `schema.name`, quoted where a part holds a dot or a quote.
pub fn qualified(schema: &str, name: &str) -> String {
    format!("{}.{}", quoted(schema), quoted(name))
}

/// Schema and name of a text that [`qualified`] wrote.
pub fn unqualified(text: &str) -> Option<(String, String)> {
    let (schema, rest) = one_part(text)?;
    let (name, end) = one_part(rest.strip_prefix('.')?)?;
    end.is_empty().then_some((schema, name))
}

fn quoted(part: &str) -> String {
    let plain = !part.is_empty() && !part.contains(['.', '"']);
    if plain { part.to_owned() } else { format!("\"{}\"", part.replace('"', "\"\"")) }
}

fn one_part(text: &str) -> Option<(String, &str)> {
    let Some(inner) = text.strip_prefix('"') else {
        let end = text.find('.').unwrap_or(text.len());
        return Some((text[..end].to_owned(), &text[end..]));
    };
    let mut part = String::new();
    let mut rest = inner;
    loop {
        let end = rest.find('"')?;
        part.push_str(&rest[..end]);
        rest = &rest[end + 1..];
        match rest.strip_prefix('"') {
            Some(more) => {
                part.push('"');
                rest = more;
            }
            None => return Some((part, rest)),
        }
    }
}

/// A part as JSON, without members that are null or empty.
pub fn written(part: &impl Serialize) -> String {
    let mut value = serde_json::to_value(part).unwrap_or(Value::Null);
    if let Value::Object(members) = &mut value {
        members.retain(|_, member| !member.is_null() && member.as_array().is_none_or(|list| !list.is_empty()));
    }
    value.to_string()
}

/// A part that [`written`] wrote.
pub fn read<T: DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_str(text).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn names_come_back_from_paths_and_qualified_texts(schema in ".*", name in ".*") {
            let path = join(&["columns", &name, "type"]);
            prop_assert_eq!(part(&path, "columns", Some("type")), Some(name.as_str()));
            prop_assert_eq!(unqualified(&qualified(&schema, &name)), Some((schema, name)));
        }
    }

    #[test]
    fn plain_names_are_written_plainly() {
        assert_eq!(qualified("sales", "orders"), "sales.orders");
        assert_eq!(join(&["columns", "a/b", "type"]), "columns/a/b/type");
        assert_eq!(part("columns/a/b", "columns", None), Some("a/b"));
        assert_eq!(part("comment", "columns", Some("comment")), None);
        assert_eq!(unqualified("nodot"), None);
        assert_eq!(unqualified("a.\"b"), None);
    }
}
