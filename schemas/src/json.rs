//! The one JSON form of records: `{"type": "CreateDataSource", "meta": {…}, …}` with plain values.
//! Driven by the published schemas, so that the CLI, the examples and HTTP bodies read alike. Null or absent is the null
//! branch, absent fields take their defaults, times are RFC 3339, an unknown field is an error with its path.

use std::collections::HashMap;

use apache_avro::types::Value as Avro;
use serde_json::{Map, Value as Json};

use crate::codec::{self, CodecError, Record};
use crate::message::{Command, Event};
use crate::published;
use crate::time::Micros;

/// Deepest nesting that is read; the contract's records need less than ten.
const MAX_DEPTH: usize = 64;

/// One fault of a JSON text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonProblem {
    /// JSON pointer to the faulty place.
    pub path: String,
    /// What is wrong and what would be right.
    pub message: String,
}

impl std::fmt::Display for JsonProblem {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}: {}", if self.path.is_empty() { "/" } else { &self.path }, self.message)
    }
}

/// A framed record with its type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Framed {
    /// Avro full name.
    pub full_name: &'static str,
    /// Value with framing.
    pub bytes: Vec<u8>,
}

/// Reads a record; all its faults are reported, not the first.
pub fn read(json: &Json) -> Result<Framed, Vec<JsonProblem>> {
    let fault = |path: &str, message: String| vec![JsonProblem { path: path.to_owned(), message }];
    let Some(fields) = json.as_object() else {
        return Err(fault("", "a record is a JSON object with a member \"type\"".into()));
    };
    let Some(name) = fields.get("type").and_then(Json::as_str) else {
        return Err(fault("/type", "the member \"type\" names the record, for example \"CreateDataSource\"".into()));
    };
    let Some((known, text)) = find(name) else {
        return Err(fault("/type", format!("there is no record {name:?}; records are: {}", names().join(", "))));
    };
    let schema: Json = serde_json::from_str(text).map_err(|error| fault("", error.to_string()))?;
    let mut reader = Reader::new(&schema);
    let mut body = fields.clone();
    body.remove("type");
    let value = reader.value(&schema, &Json::Object(body), &mut String::new(), 0);
    match (value, reader.problems.is_empty()) {
        (Some(value), true) => match codec::encode_value(known, &value) {
            Ok(bytes) => Ok(Framed { full_name: known.full_name.as_str(), bytes: in_order(bytes) }),
            Err(error) => Err(fault("", error.to_string())),
        },
        _ => Err(reader.problems),
    }
}

/// The same record with the entries of its maps in order: the same JSON must give the same bytes, or a command that is
/// sent again would be another payload.
fn in_order(bytes: Vec<u8>) -> Vec<u8> {
    let command = || Command::decode(&bytes).and_then(|command| command.encode());
    let event = || Event::decode(&bytes).and_then(|event| event.encode());
    match command().or_else(|_| event()) {
        Ok(ordered) => ordered,
        Err(_) => bytes,
    }
}

/// Reads a record of a known type from JSON.
pub fn read_record<R: Record>(json: &Json) -> Result<R, Vec<JsonProblem>> {
    let framed = read(json)?;
    codec::decode(&framed.bytes).map_err(|error| vec![JsonProblem { path: "/type".into(), message: error.to_string() }])
}

/// Writes a framed value of any known schema as JSON, with its type.
pub fn write(bytes: &[u8]) -> Result<Json, CodecError> {
    let (full_name, value) = codec::decode_value(bytes)?;
    let mut fields = Map::new();
    fields.insert("type".into(), Json::String(short(full_name).to_owned()));
    if let Json::Object(rest) = plain(value) {
        fields.extend(rest);
    }
    Ok(Json::Object(fields))
}

/// Writes a record as JSON, with its type.
pub fn write_record<R: Record>(record: &R) -> Result<Json, CodecError> {
    write(&codec::encode(record)?)
}

/// The last part of a full name.
pub fn short(full_name: &str) -> &str {
    full_name.rsplit('.').next().unwrap_or(full_name)
}

fn names() -> Vec<&'static str> {
    let mut names: Vec<&str> = published::ENTRIES.iter().map(|entry| short(&entry.record)).collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn find(name: &str) -> Option<(&'static codec::Known, &'static str)> {
    let entry = published::ENTRIES.iter().find(|entry| short(&entry.record) == name || entry.record == name)?;
    let known = codec::newest(&entry.record)?;
    Some((known, published::text(known.id)?))
}

fn plain(value: Avro) -> Json {
    match value {
        Avro::Null => Json::Null,
        Avro::Boolean(flag) => Json::Bool(flag),
        Avro::Int(number) => number.into(),
        Avro::Long(number) => number.into(),
        Avro::TimestampMicros(micros) => Json::String(Micros(micros).rfc3339()),
        Avro::String(text) | Avro::Enum(_, text) => Json::String(text),
        Avro::Uuid(id) => Json::String(id.to_string()),
        Avro::Union(_, inner) => plain(*inner),
        Avro::Array(items) => Json::Array(items.into_iter().map(plain).collect()),
        Avro::Map(entries) => {
            let sorted: std::collections::BTreeMap<_, _> = entries.into_iter().collect();
            Json::Object(sorted.into_iter().map(|(key, value)| (key, plain(value))).collect())
        }
        Avro::Record(fields) => Json::Object(fields.into_iter().map(|(name, value)| (name, plain(value))).collect()),
        // The contract uses no other type; a foreign schema that does still prints something.
        other => Json::String(format!("{other:?}")),
    }
}

struct Reader<'s> {
    named: HashMap<String, &'s Json>,
    problems: Vec<JsonProblem>,
}

impl<'s> Reader<'s> {
    fn new(schema: &'s Json) -> Self {
        let mut named = HashMap::new();
        collect(schema, &mut named);
        Self { named, problems: Vec::new() }
    }

    fn problem(&mut self, path: &str, message: impl Into<String>) -> Option<Avro> {
        self.problems.push(JsonProblem { path: path.to_owned(), message: message.into() });
        None
    }

    fn value(&mut self, schema: &'s Json, json: &Json, path: &mut String, depth: usize) -> Option<Avro> {
        if depth > MAX_DEPTH {
            return self.problem(path, "nested too deeply");
        }
        match schema {
            Json::Array(branches) => self.union(branches, json, path, depth),
            Json::String(name) => match self.named.get(name.as_str()).copied() {
                Some(definition) => self.value(definition, json, path, depth),
                None => self.primitive(name, None, json, path),
            },
            Json::Object(definition) => match definition.get("type") {
                Some(Json::String(kind)) => match kind.as_str() {
                    "record" => self.record(definition, json, path, depth),
                    "enum" => self.symbol(definition, json, path),
                    "array" => self.array(&definition["items"], json, path, depth),
                    "map" => self.map(&definition["values"], json, path, depth),
                    primitive => {
                        self.primitive(primitive, definition.get("logicalType").and_then(Json::as_str), json, path)
                    }
                },
                Some(nested) => self.value(nested, json, path, depth),
                None => self.problem(path, "the schema has no type here"),
            },
            _ => self.problem(path, "the schema is damaged here"),
        }
    }

    fn union(&mut self, branches: &'s [Json], json: &Json, path: &mut String, depth: usize) -> Option<Avro> {
        if json.is_null() {
            return Some(Avro::Union(0, Box::new(Avro::Null)));
        }
        let inner = branches.get(1).and_then(|branch| self.value(branch, json, path, depth + 1))?;
        Some(Avro::Union(1, Box::new(inner)))
    }

    fn record(
        &mut self,
        definition: &'s Map<String, Json>,
        json: &Json,
        path: &mut String,
        depth: usize,
    ) -> Option<Avro> {
        let Some(given) = json.as_object() else {
            return self.problem(path, "an object is expected");
        };
        let fields = definition.get("fields").and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
        for name in given.keys().filter(|name| !fields.iter().any(|field| field["name"] == **name)) {
            let known: Vec<&str> = fields.iter().filter_map(|field| field["name"].as_str()).collect();
            self.problem(
                &format!("{path}/{}", pointer(name)),
                format!("unknown field; fields here are: {}", known.join(", ")),
            );
        }
        let mut values = Vec::with_capacity(fields.len());
        for field in fields {
            let name = field["name"].as_str().unwrap_or_default();
            let given = given.get(name).filter(|value| !value.is_null() || field["type"].is_array());
            let before = path.len();
            path.push('/');
            path.push_str(&pointer(name));
            let value = match given.or_else(|| field.get("default")) {
                Some(value) => self.value(&field["type"], value, path, depth + 1),
                None => self.problem(path, "required"),
            };
            path.truncate(before);
            values.push((name.to_owned(), value));
        }
        values
            .into_iter()
            .map(|(name, value)| value.map(|value| (name, value)))
            .collect::<Option<_>>()
            .map(Avro::Record)
    }

    fn symbol(&mut self, definition: &'s Map<String, Json>, json: &Json, path: &str) -> Option<Avro> {
        let symbols = definition.get("symbols").and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
        let found = symbols.iter().position(|symbol| symbol == json);
        match (found.and_then(|at| u32::try_from(at).ok()), json.as_str()) {
            (Some(at), Some(text)) => Some(Avro::Enum(at, text.to_owned())),
            _ => {
                let known: Vec<&str> =
                    symbols.iter().filter_map(Json::as_str).filter(|symbol| *symbol != "UNKNOWN").collect();
                self.problem(path, format!("one of {} is expected", known.join(", ")))
            }
        }
    }

    fn array(&mut self, items: &'s Json, json: &Json, path: &mut String, depth: usize) -> Option<Avro> {
        let Some(given) = json.as_array() else {
            return self.problem(path, "an array is expected");
        };
        let mut values = Vec::with_capacity(given.len());
        for (at, item) in given.iter().enumerate() {
            values.push(self.at(&at.to_string(), items, item, path, depth));
        }
        values.into_iter().collect::<Option<_>>().map(Avro::Array)
    }

    fn map(&mut self, schema: &'s Json, json: &Json, path: &mut String, depth: usize) -> Option<Avro> {
        let Some(given) = json.as_object() else {
            return self.problem(path, "an object of names and values is expected");
        };
        let mut values = HashMap::with_capacity(given.len());
        let mut whole = true;
        for (key, value) in given {
            match self.at(key, schema, value, path, depth) {
                Some(value) => drop(values.insert(key.clone(), value)),
                None => whole = false,
            }
        }
        whole.then_some(Avro::Map(values))
    }

    fn at(&mut self, key: &str, schema: &'s Json, json: &Json, path: &mut String, depth: usize) -> Option<Avro> {
        let before = path.len();
        path.push('/');
        path.push_str(&pointer(key));
        let value = self.value(schema, json, path, depth + 1);
        path.truncate(before);
        value
    }

    fn primitive(&mut self, kind: &str, logical: Option<&str>, json: &Json, path: &str) -> Option<Avro> {
        match (kind, logical, json) {
            ("string", Some("uuid"), Json::String(text)) => match uuid::Uuid::try_parse(text) {
                Ok(id) => Some(Avro::Uuid(id)),
                Err(_) => self.problem(path, "a UUID is expected, for example 01890a5d-ac96-774b-bcce-b302099a8057"),
            },
            ("string", _, Json::String(text)) if text.contains('\0') => {
                self.problem(path, "the character U+0000 is not allowed")
            }
            ("string", None, Json::String(text)) => Some(Avro::String(text.clone())),
            ("boolean", _, Json::Bool(flag)) => Some(Avro::Boolean(*flag)),
            ("long", Some("timestamp-micros"), Json::String(text)) => match Micros::parse(text) {
                Some(time) => Some(Avro::TimestampMicros(time.0)),
                None => self.problem(path, "a time in RFC 3339 is expected, for example 2026-01-31T12:00:00Z"),
            },
            ("int", _, Json::Number(number)) => match number.as_i64().and_then(|number| i32::try_from(number).ok()) {
                Some(number) => Some(Avro::Int(number)),
                None => self.problem(path, "a whole number of 32 bits is expected"),
            },
            ("long", None, Json::Number(number)) => match number.as_i64() {
                Some(number) => Some(Avro::Long(number)),
                None => self.problem(path, "a whole number of 64 bits is expected"),
            },
            (_, Some(logical), _) => self.problem(path, format!("a {logical} as text is expected")),
            (kind, None, _) => self.problem(path, format!("a {kind} is expected")),
        }
    }
}

fn pointer(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// Collects the named types of a self-contained schema.
fn collect<'s>(schema: &'s Json, named: &mut HashMap<String, &'s Json>) {
    match schema {
        Json::Array(branches) => branches.iter().for_each(|branch| collect(branch, named)),
        Json::Object(definition) => {
            if let (Some(name), Some("record" | "enum")) =
                (definition.get("name").and_then(Json::as_str), definition.get("type").and_then(Json::as_str))
            {
                let namespace = definition.get("namespace").and_then(Json::as_str).unwrap_or_default();
                named.insert(format!("{namespace}.{name}"), schema);
            }
            for part in ["type", "items", "values"] {
                if let Some(nested) = definition.get(part) {
                    collect(nested, named);
                }
            }
            for field in definition.get("fields").and_then(Json::as_array).into_iter().flatten() {
                collect(&field["type"], named);
            }
        }
        _ => {}
    }
}
