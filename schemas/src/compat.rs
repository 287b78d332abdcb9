//! The compatibility gate: what people edit (`avro/`) against what was ever published (`published/`).
//! Pure over texts; the file system belongs to the caller (`publish`, the tests, `pursight schema check`).

use std::collections::{BTreeMap, BTreeSet};

use apache_avro::Schema;
use apache_avro::schema_compatibility::SchemaCompatibility;
use serde_json::{Map, Value as Json};

/// Edited schemas by full name.
pub type Sources = BTreeMap<String, Json>;

/// Why a schema set is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CompatError {
    /// A file that is no named Avro type.
    #[error("{0}: not a named Avro type in JSON")]
    Unreadable(String),
    /// A reference to a type that no file defines.
    #[error("{record}: there is no type {missing}; add avro/<namespace>/<Name>.avsc for it")]
    Missing {
        /// Where it is used.
        record: String,
        /// What is missing.
        missing: String,
    },
    /// Two versions cannot read each other.
    #[error(
        "{record}: the new version and version {version} cannot read each other ({why}). Add fields only with a default, \
         never remove, rename or retype one; if the record must really change, give it a new name"
    )]
    Incompatible {
        /// Which record.
        record: String,
        /// Version that it does not agree with.
        version: u32,
        /// What Avro says.
        why: String,
    },
}

/// Adds one edited file.
pub fn add_source(sources: &mut Sources, file: &str, text: &str) -> Result<(), CompatError> {
    let unreadable = || CompatError::Unreadable(file.to_owned());
    let json: Json = serde_json::from_str(text).map_err(|_| unreadable())?;
    let name = json.get("name").and_then(Json::as_str).ok_or_else(unreadable)?;
    let namespace = json.get("namespace").and_then(Json::as_str).ok_or_else(unreadable)?;
    sources.insert(format!("{namespace}.{name}"), json.clone());
    Ok(())
}

/// One record with every shared type inlined where it is first used: what is published.
pub fn inline(sources: &Sources, record: &str) -> Result<Json, CompatError> {
    let mut seen = BTreeSet::new();
    expand(sources, record, &Json::String(record.to_owned()), &mut seen)
}

fn expand(sources: &Sources, record: &str, schema: &Json, seen: &mut BTreeSet<String>) -> Result<Json, CompatError> {
    Ok(match schema {
        Json::String(name) if name.contains('.') => {
            if !seen.insert(name.clone()) {
                return Ok(schema.clone());
            }
            let missing = || CompatError::Missing { record: record.to_owned(), missing: name.clone() };
            expand(sources, record, sources.get(name).ok_or_else(missing)?, seen)?
        }
        Json::Array(branches) => {
            Json::Array(branches.iter().map(|branch| expand(sources, record, branch, seen)).collect::<Result<_, _>>()?)
        }
        Json::Object(definition) => {
            let mut expanded = Map::new();
            for (key, value) in definition {
                let value = match key.as_str() {
                    "type" | "items" | "values" => expand(sources, record, value, seen)?,
                    "fields" => {
                        let fields = value.as_array().map(Vec::as_slice).unwrap_or_default();
                        Json::Array(
                            fields
                                .iter()
                                .map(|field| expand(sources, record, field, seen))
                                .collect::<Result<_, _>>()?,
                        )
                    }
                    _ => value.clone(),
                };
                expanded.insert(key.clone(), value);
            }
            Json::Object(expanded)
        }
        other => other.clone(),
    })
}

/// Full names of the records that travel by themselves: those with a `meta` field.
pub fn records(sources: &Sources) -> Vec<String> {
    let travels = |json: &Json| {
        json["fields"].as_array().is_some_and(|fields| fields.iter().any(|field| field["name"] == "meta"))
    };
    sources.iter().filter(|(_, json)| travels(json)).map(|(name, _)| name.clone()).collect()
}

/// Checks a candidate against every earlier version of the record, in both directions (`FULL_TRANSITIVE`).
pub fn check(record: &str, candidate: &str, earlier: &[(u32, &str)]) -> Result<(), CompatError> {
    let refuse = |version: u32, why: String| CompatError::Incompatible { record: record.to_owned(), version, why };
    let new = Schema::parse_str(candidate).map_err(|error| CompatError::Unreadable(format!("{record}: {error}")))?;
    for (version, text) in earlier {
        let old = Schema::parse_str(text).map_err(|error| CompatError::Unreadable(format!("{record}: {error}")))?;
        SchemaCompatibility::can_read(&old, &new).map_err(|error| refuse(*version, error.to_string()))?;
        SchemaCompatibility::can_read(&new, &old).map_err(|error| refuse(*version, error.to_string()))?;
        if let Some(gone) = removed(
            &serde_json::from_str(text).unwrap_or_default(),
            &serde_json::from_str(candidate).unwrap_or_default(),
        ) {
            return Err(refuse(*version, format!("{gone} is gone")));
        }
    }
    Ok(())
}

/// Avro lets a field with a default, and a symbol of an enum with a default, be removed; the contract does not.
fn removed(old: &Json, new: &Json) -> Option<String> {
    let (mut before, mut after) = (BTreeSet::new(), BTreeSet::new());
    members(old, &mut before);
    members(new, &mut after);
    before.difference(&after).next().cloned()
}

fn members(schema: &Json, found: &mut BTreeSet<String>) {
    match schema {
        Json::Array(branches) => branches.iter().for_each(|branch| members(branch, found)),
        Json::Object(definition) => {
            let name = definition.get("name").and_then(Json::as_str).unwrap_or_default();
            for symbol in
                definition.get("symbols").and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_str)
            {
                found.insert(format!("symbol {symbol} of {name}"));
            }
            for field in definition.get("fields").and_then(Json::as_array).into_iter().flatten() {
                found.insert(format!("field {} of {name}", field["name"].as_str().unwrap_or_default()));
                members(&field["type"], found);
            }
            for part in ["type", "items", "values"] {
                if let Some(nested) = definition.get(part) {
                    members(nested, found);
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = r#"{"type":"record","name":"R","namespace":"n","fields":[{"name":"a","type":"string"},{"name":"b","type":["null","long"],"default":null}]}"#;

    #[test]
    fn a_field_with_a_default_may_be_added() {
        let new = r#"{"type":"record","name":"R","namespace":"n","fields":[{"name":"a","type":"string"},{"name":"b","type":["null","long"],"default":null},{"name":"c","type":"int","default":1}]}"#;
        assert_eq!(check("n.R", new, &[(1, OLD)]), Ok(()));
    }

    #[test]
    fn everything_else_is_refused_with_a_sentence() {
        let without_default = OLD.replace("]}", r#","x"]}"#).replace(r#","x"]}"#, r#",{"name":"c","type":"int"}]}"#);
        let retyped = OLD.replace(r#""name":"a","type":"string""#, r#""name":"a","type":"long""#);
        let gone = r#"{"type":"record","name":"R","namespace":"n","fields":[{"name":"a","type":"string"}]}"#;
        for bad in [without_default.as_str(), retyped.as_str(), gone] {
            let error =
                check("n.R", bad, &[(1, OLD)]).map_or_else(|error| error.to_string(), |()| format!("accepted {bad}"));
            assert!(error.contains("version 1") && error.contains("new name"), "{error}");
        }
    }
}
