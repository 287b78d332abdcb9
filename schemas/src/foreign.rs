//! Whether a schema that somebody else wrote may be used: reading under it must cost no more than its bytes justify.
//! Owns that judgement; must not know ids. Without it a registry could hand out a record that holds itself (as deep as
//! the datum is long), a list of nothings (2^60 of them in ten bytes) or a fixed of a gigabyte.

use std::collections::HashMap;

use apache_avro::Schema;
use apache_avro::schema::{RecordSchema, UuidSchema};
use serde_json::Value as Json;

/// Deepest nesting of types; the contract's records need less than ten.
const MAX_DEPTH: usize = 32;

/// What reading needs of a schema's text: no documentation, no attributes of others, and no defaults, which only matter to
/// whoever reads under it as the newer one. A default that does not fit makes the parser (apache-avro 0.22) print the
/// canonical form of its type, and that panics on an attribute that has the name of one of the schema's own.
pub(crate) fn bare(schema: &Json) -> Json {
    match schema {
        Json::Array(parts) => parts.iter().map(bare).collect(),
        Json::Object(attributes) => {
            let kept = attributes.iter().filter_map(|(name, value)| match name.as_str() {
                "type" | "fields" | "items" | "values" => Some((name.clone(), bare(value))),
                "name" | "namespace" | "symbols" | "size" | "logicalType" => Some((name.clone(), value.clone())),
                _ => None,
            });
            kept.collect()
        }
        plain => plain.clone(),
    }
}

/// Says what is wrong with a schema, if anything is.
pub(crate) fn judge(schema: &Schema) -> Result<(), String> {
    let mut judge = Judge { defined: HashMap::new(), depths: HashMap::new() };
    judge.define(schema, None);
    judge.depth(schema, None, 0).map(drop)
}

struct Judge<'s> {
    defined: HashMap<String, &'s RecordSchema>,
    /// Of records that were judged already; a record that is being judged has none yet.
    depths: HashMap<String, Option<usize>>,
}

impl<'s> Judge<'s> {
    fn define(&mut self, schema: &'s Schema, space: Option<&str>) {
        match schema {
            Schema::Array(array) => self.define(&array.items, space),
            Schema::Map(map) => self.define(&map.types, space),
            Schema::Union(union) => union.variants().iter().for_each(|branch| self.define(branch, space)),
            Schema::Record(record) => {
                self.defined.insert(record.name.fullname(space), record);
                let inner = record.name.namespace().or(space).map(str::to_owned);
                record.fields.iter().for_each(|field| self.define(&field.schema, inner.as_deref()));
            }
            _ => {}
        }
    }

    /// Levels of types below and with this one. Everything that is read takes at least one byte of the datum: null is
    /// only the branch of a union, and a record has fields.
    fn depth(&mut self, schema: &'s Schema, space: Option<&str>, above: usize) -> Result<usize, String> {
        if above > MAX_DEPTH {
            return Err("it is nested too deeply".into());
        }
        match schema {
            Schema::Boolean | Schema::Int | Schema::Long | Schema::Float | Schema::Double => Ok(1),
            Schema::Bytes | Schema::String | Schema::Uuid(UuidSchema::String) | Schema::Enum(_) => Ok(1),
            Schema::TimestampMillis | Schema::TimestampMicros | Schema::Date => Ok(1),
            Schema::Array(array) => Ok(1 + self.depth(&array.items, space, above + 1)?),
            Schema::Map(map) => Ok(1 + self.depth(&map.types, space, above + 1)?),
            Schema::Union(union) => {
                let mut deepest = 0;
                for branch in union.variants().iter().filter(|branch| **branch != Schema::Null) {
                    deepest = deepest.max(self.depth(branch, space, above + 1)?);
                }
                Ok(1 + deepest)
            }
            Schema::Record(record) => self.record(&record.name.fullname(space), record, space, above),
            Schema::Ref { name } => {
                let full = name.fullname(space);
                match self.defined.get(&full).copied() {
                    Some(record) => self.record(&full, record, space, above),
                    // Enumerations are referred to by name too, and the parser has refused names that nothing has.
                    None => Ok(1),
                }
            }
            _ => Err("it uses a type that the contract does not use".into()),
        }
    }

    fn record(
        &mut self,
        full: &str,
        record: &'s RecordSchema,
        space: Option<&str>,
        above: usize,
    ) -> Result<usize, String> {
        let deep = match self.depths.get(full) {
            Some(Some(depth)) => *depth,
            Some(None) => return Err(format!("{full} holds itself")),
            None => {
                if record.fields.is_empty() {
                    return Err(format!("{full} has no fields"));
                }
                self.depths.insert(full.to_owned(), None);
                let inner = record.name.namespace().or(space).map(str::to_owned);
                let mut deepest = 0;
                for field in &record.fields {
                    deepest = deepest.max(self.depth(&field.schema, inner.as_deref(), above + 1)?);
                }
                self.depths.insert(full.to_owned(), Some(1 + deepest));
                1 + deepest
            }
        };
        if above + deep > MAX_DEPTH { Err("it is nested too deeply".into()) } else { Ok(deep) }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::published;

    fn judged(text: &str) -> Result<(), String> {
        judge(&Schema::parse_str(text).unwrap())
    }

    fn record(fields: &str) -> String {
        format!(r#"{{"type": "record", "name": "R", "namespace": "n", "fields": [{fields}]}}"#)
    }

    #[test]
    fn every_schema_of_the_contract_may_be_used() {
        for entry in published::ENTRIES.iter() {
            assert_eq!(judged(published::text(entry.id).unwrap()), Ok(()), "{}", entry.record);
        }
    }

    #[test]
    fn what_could_be_read_without_end_or_without_bytes_may_not() {
        let nested = (0..20).fold(r#""int""#.to_owned(), |inner, _| {
            format!(r#"{{"type": "array", "items": {{"type": "map", "values": {inner}}}}}"#)
        });
        let laughs = (1..=30).fold(r#"{"type": "record", "name": "L0", "fields": [{"name": "a", "type": "int"}]}"#.to_owned(), |inner, n| {
            let below = n - 1;
            format!(r#"{{"type": "record", "name": "L{n}", "fields": [{{"name": "a", "type": {inner}}}, {{"name": "b", "type": "L{below}"}}]}}"#)
        });
        for (fields, wrong) in [
            (r#"{"name": "a", "type": ["null", "R"]}"#.to_owned(), "n.R holds itself"),
            (r#"{"name": "a", "type": {"type": "array", "items": "R"}}"#.to_owned(), "n.R holds itself"),
            (r#"{"name": "a", "type": {"type": "map", "values": "n.R"}}"#.to_owned(), "n.R holds itself"),
            (r#"{"name": "a", "type": {"type": "array", "items": "null"}}"#.to_owned(), "it uses a type"),
            (r#"{"name": "a", "type": "null"}"#.to_owned(), "it uses a type"),
            (String::new(), "n.R has no fields"),
            (
                r#"{"name": "a", "type": {"type": "fixed", "name": "F", "size": 2000000000}}"#.to_owned(),
                "it uses a type",
            ),
            (r#"{"name": "a", "type": {"type": "bytes", "logicalType": "big-decimal"}}"#.to_owned(), "it uses a type"),
            (format!(r#"{{"name": "a", "type": {nested}}}"#), "it is nested too deeply"),
            (format!(r#"{{"name": "a", "type": {laughs}}}"#), "it is nested too deeply"),
        ] {
            let said = judged(&record(&fields)).unwrap_err();
            assert!(said.starts_with(wrong), "{fields}: {said}");
        }
    }
}
