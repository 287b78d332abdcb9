//! Records of every kind, generated from the published schemas, and the bytes of bombs.

#![allow(dead_code, reason = "shared by two test binaries, each of which uses a part")]

use std::collections::HashMap;
use std::rc::Rc;

use proptest::prelude::*;
use pursight_schemas::published::{self, ENTRIES};
use pursight_schemas::{Micros, json};
use serde_json::{Map, Value as Json};

/// A record of the newest version of any kind, as JSON.
pub fn any_record() -> BoxedStrategy<Json> {
    let mut newest: HashMap<&str, u32> = HashMap::new();
    for entry in ENTRIES.iter() {
        newest.insert(&entry.record, entry.id);
    }
    let mut records: Vec<(&str, u32)> = newest.into_iter().collect();
    records.sort_unstable();
    prop::sample::select(records).prop_flat_map(|(name, id)| record(name, id)).boxed()
}

/// A record of this kind.
pub fn record(name: &str, id: u32) -> BoxedStrategy<Json> {
    let schema: Json = serde_json::from_str(published::text(id).unwrap()).unwrap();
    let mut named = HashMap::new();
    collect(&schema, &mut named);
    let short = json::short(name).to_owned();
    let fields = Rc::new(named);
    value(&schema, &fields)
        .prop_map(move |mut document| {
            document["type"] = short.clone().into();
            document
        })
        .boxed()
}

/// The bytes of a record.
pub fn encoded(document: &Json) -> Vec<u8> {
    json::read(document).unwrap_or_else(|problems| panic!("{document}: {problems:?}")).bytes
}

/// A datum under a schema id.
pub fn framed(id: u32, datum: &[u8]) -> Vec<u8> {
    [&[0], &id.to_be_bytes()[..], datum].concat()
}

/// A number as Avro writes it.
pub fn varint(number: i64) -> Vec<u8> {
    let mut rest = ((number << 1) ^ (number >> 63)).cast_unsigned();
    let mut bytes = Vec::new();
    while rest > 0x7f {
        bytes.push(u8::try_from(rest & 0x7f).unwrap() | 0x80);
        rest >>= 7;
    }
    bytes.push(u8::try_from(rest).unwrap());
    bytes
}

type Named = Rc<HashMap<String, Json>>;

fn value(schema: &Json, named: &Named) -> BoxedStrategy<Json> {
    match schema {
        Json::Array(branches) => {
            let inner = value(&branches[1], named);
            prop_oneof![Just(Json::Null), inner].boxed()
        }
        Json::String(name) => match named.get(name) {
            Some(definition) => value(&definition.clone(), named),
            None => primitive(name, None),
        },
        Json::Object(definition) => match definition["type"].as_str() {
            Some("record") => object(definition, named),
            Some("enum") => {
                let symbols: Vec<Json> = definition["symbols"].as_array().unwrap().clone();
                prop::sample::select(symbols).boxed()
            }
            Some("array") => {
                prop::collection::vec(value(&definition["items"], named), 0..3).prop_map(Json::from).boxed()
            }
            Some("map") => prop::collection::btree_map(text(), value(&definition["values"], named), 0..3)
                .prop_map(|entries| Json::Object(entries.into_iter().collect()))
                .boxed(),
            Some(kind) => primitive(kind, definition.get("logicalType").and_then(Json::as_str)),
            None => value(&definition["type"], named),
        },
        _ => panic!("a damaged schema: {schema}"),
    }
}

fn object(definition: &Map<String, Json>, named: &Named) -> BoxedStrategy<Json> {
    let mut whole = Just(Map::new()).boxed();
    for field in definition["fields"].as_array().unwrap() {
        let name = field["name"].as_str().unwrap().to_owned();
        whole = (whole, value(&field["type"], named))
            .prop_map(move |(mut fields, value)| {
                fields.insert(name.clone(), value);
                fields
            })
            .boxed();
    }
    whole.prop_map(Json::Object).boxed()
}

fn primitive(kind: &str, logical: Option<&str>) -> BoxedStrategy<Json> {
    match (kind, logical) {
        ("string", Some("uuid")) => any::<u128>().prop_map(|id| uuid::Uuid::from_u128(id).to_string().into()).boxed(),
        ("string", _) => text().prop_map(Json::from).boxed(),
        ("boolean", _) => any::<bool>().prop_map(Json::from).boxed(),
        ("int", _) => any::<i32>().prop_map(Json::from).boxed(),
        // To the end of the year 9999, where the text of a time ends.
        ("long", Some(_)) => (0..253_402_300_799_000_000_i64).prop_map(|time| Micros(time).rfc3339().into()).boxed(),
        ("long", None) => any::<i64>().prop_map(Json::from).boxed(),
        (other, _) => panic!("the contract uses {other} now: generate it here"),
    }
}

/// Any text that the contract allows.
fn text() -> impl Strategy<Value = String> {
    "[^\\x00]{0,6}|[\u{202e}\u{200b}\"'<>&\\\\\u{10ffff}]{1,3}"
}

fn collect(schema: &Json, named: &mut HashMap<String, Json>) {
    match schema {
        Json::Array(branches) => branches.iter().for_each(|branch| collect(branch, named)),
        Json::Object(definition) => {
            if let (Some(name), Some("record" | "enum")) = (definition.get("name"), definition["type"].as_str()) {
                let space = definition.get("namespace").and_then(Json::as_str).unwrap_or_default();
                named.insert(format!("{space}.{}", name.as_str().unwrap()), schema.clone());
            }
            for part in ["type", "items", "values"] {
                definition.get(part).into_iter().for_each(|inner| collect(inner, named));
            }
            for field in definition.get("fields").and_then(Json::as_array).into_iter().flatten() {
                collect(&field["type"], named);
            }
        }
        _ => {}
    }
}
