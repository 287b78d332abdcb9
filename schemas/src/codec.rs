//! Records to bytes and back: Confluent framing (`0x00`, schema id, Avro datum) with the fixed ids of `ids.json`.
//! Input is hostile: allocation is capped, nothing panics. Does no I/O: an id that is not known is an error that the
//! caller may answer with [`learn`].

use std::collections::HashMap;
use std::sync::{LazyLock, PoisonError, RwLock};

use apache_avro::Schema;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value;
use apache_avro::writer::datum::GenericDatumWriter;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::published::{self, Entry};

/// Largest allocation while decoding, bytes.
pub const MAX_ALLOCATION_BYTES: usize = 16 * 1024 * 1024;
/// What the decoder is told. It counts a map by its entries, and a map takes up to twice that; no text or list of a
/// record comes near.
const TOLD: usize = MAX_ALLOCATION_BYTES / 2;
/// Schemas taken from a foreign registry at most; beyond it their ids stay unknown.
const MAX_LEARNT: usize = 1_000;

/// A record type that travels on a topic by itself.
pub trait Record: Serialize + DeserializeOwned {
    /// Avro full name.
    const FULL_NAME: &'static str;
}

/// Why bytes could not be read, or a record not written.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    /// No five bytes of framing, or another magic byte.
    #[error("value is not in Confluent framing (0x00, 4-byte schema id, Avro datum)")]
    Framing,
    /// Neither in `ids.json` nor learnt.
    #[error("schema id {0} is unknown")]
    UnknownSchema(u32),
    /// Readable, but of another type than was asked for.
    #[error("record is a {found}, not a {wanted}")]
    WrongRecord {
        /// Full name asked for.
        wanted: &'static str,
        /// Full name of the record.
        found: String,
    },
    /// The datum does not fit its schema.
    #[error("datum of {record} cannot be read")]
    Datum {
        /// Full name of the record.
        record: String,
        /// What the Avro reader says.
        #[source]
        source: Box<apache_avro::Error>,
    },
    /// Bytes are left over behind the datum.
    #[error("{extra} bytes are left over behind the {record}")]
    LeftOver {
        /// Full name of the record.
        record: String,
        /// How many.
        extra: usize,
    },
    /// A schema text that is none, or one too many.
    #[error("schema {0} is not usable: {1}")]
    BadSchema(u32, String),
    /// A record that its own schema does not allow: a fault of ours.
    #[error("{record} cannot be written")]
    Write {
        /// Full name of the record.
        record: &'static str,
        /// What the Avro writer says.
        #[source]
        source: Box<apache_avro::Error>,
    },
}

/// One schema, ready for use.
pub(crate) struct Known {
    pub(crate) id: u32,
    pub(crate) full_name: String,
    reader: GenericDatumReader<'static>,
    writer: GenericDatumWriter<'static>,
}

type Table = HashMap<u32, &'static Known>;

static KNOWN: LazyLock<RwLock<Table>> = LazyLock::new(|| {
    apache_avro::util::max_allocation_bytes(TOLD);
    let table = published::ENTRIES.iter().filter_map(|entry| {
        let text = published::text(entry.id)?;
        let known = parse(entry.id, text).and_then(|schema| make(entry.id, schema));
        known.ok().map(|known| (entry.id, known))
    });
    RwLock::new(table.collect())
});

/// Newest published entry of each record.
static NEWEST: LazyLock<HashMap<&'static str, &'static Entry>> = LazyLock::new(|| {
    let mut newest: HashMap<&str, &Entry> = HashMap::new();
    for entry in published::ENTRIES.iter() {
        let slot = newest.entry(entry.record.as_str()).or_insert(entry);
        if entry.version > slot.version {
            *slot = entry;
        }
    }
    newest
});

fn parse(id: u32, text: &str) -> Result<Schema, CodecError> {
    Schema::parse_str(text).map_err(|error| CodecError::BadSchema(id, error.to_string()))
}

/// Schemas are few and live as long as the process: leaking them keeps readers and writers free of lifetimes.
fn make(id: u32, schema: Schema) -> Result<&'static Known, CodecError> {
    let bad = |what: String| CodecError::BadSchema(id, what);
    let schema: &'static Schema = Box::leak(Box::new(schema));
    let full_name = schema.name().ok_or_else(|| bad("it has no name".into()))?.fullname(None).to_string();
    let reader = GenericDatumReader::builder(schema).human_readable(true).build();
    let writer = GenericDatumWriter::builder(schema).human_readable(true).build();
    let reader = reader.map_err(|error| bad(error.to_string()))?;
    let writer = writer.map_err(|error| bad(error.to_string()))?;
    Ok(Box::leak(Box::new(Known { id, full_name, reader, writer })))
}

fn find(id: u32) -> Result<&'static Known, CodecError> {
    let table = KNOWN.read().unwrap_or_else(PoisonError::into_inner);
    table.get(&id).copied().ok_or(CodecError::UnknownSchema(id))
}

/// The newest published schema of a record.
pub(crate) fn newest(full_name: &str) -> Option<&'static Known> {
    NEWEST.get(full_name).and_then(|entry| find(entry.id).ok())
}

/// Makes a foreign registry's schema id readable. Its record must be one of the contract's, and reading it must cost no
/// more than its bytes justify. What is refused leaves nothing behind.
pub fn learn(id: u32, text: &str) -> Result<(), CodecError> {
    let schema = foreign(id, text)?;
    let mut table = KNOWN.write().unwrap_or_else(PoisonError::into_inner);
    if table.contains_key(&id) {
        return Ok(());
    }
    if table.len() >= published::ENTRIES.len() + MAX_LEARNT {
        return Err(CodecError::BadSchema(id, "too many foreign schemas".into()));
    }
    table.insert(id, make(id, schema)?);
    Ok(())
}

fn foreign(id: u32, text: &str) -> Result<Schema, CodecError> {
    let bad = |what: String| CodecError::BadSchema(id, what);
    let text: serde_json::Value = serde_json::from_str(text).map_err(|error| bad(error.to_string()))?;
    let schema = Schema::parse(&crate::foreign::bare(&text)).map_err(|error| bad(error.to_string()))?;
    let full_name = schema.name().map(|name| name.fullname(None)).unwrap_or_default();
    if newest(&full_name).is_none() {
        return Err(bad(format!("{full_name} is not a record of the contract")));
    }
    crate::foreign::judge(&schema).map_err(bad)?;
    Ok(schema)
}

/// Reads a datum under a foreign schema without keeping the schema, as often as a fuzzer likes.
#[cfg(fuzzing)]
pub fn read_foreign(text: &str, datum: &[u8]) -> Option<(Value, usize)> {
    let schema = foreign(0, text).ok()?;
    let reader = GenericDatumReader::builder(&schema).human_readable(true).build().ok()?;
    let _ = reader.read_deser::<serde::de::IgnoredAny>(&mut &*datum);
    let mut rest = datum;
    let value = reader.read_value(&mut rest).ok()?;
    Some((value, datum.len() - rest.len()))
}

fn unframe(bytes: &[u8]) -> Result<(&'static Known, &[u8]), CodecError> {
    match bytes {
        [0, a, b, c, d, datum @ ..] => Ok((find(u32::from_be_bytes([*a, *b, *c, *d]))?, datum)),
        _ => Err(CodecError::Framing),
    }
}

/// Avro full name of a framed value, by its schema id.
pub fn full_name(bytes: &[u8]) -> Result<&'static str, CodecError> {
    unframe(bytes).map(|(known, _)| known.full_name.as_str())
}

/// Schema id of a framed value, whether known or not.
pub fn schema_id(bytes: &[u8]) -> Option<u32> {
    match bytes {
        [0, a, b, c, d, ..] => Some(u32::from_be_bytes([*a, *b, *c, *d])),
        _ => None,
    }
}

fn whole<T>(
    known: &Known,
    mut datum: &[u8],
    read: impl FnOnce(&mut &[u8]) -> Result<T, apache_avro::Error>,
) -> Result<T, CodecError> {
    let record = known.full_name.clone();
    match read(&mut datum) {
        Err(source) => Err(CodecError::Datum { record, source: Box::new(source) }),
        Ok(_) if !datum.is_empty() => Err(CodecError::LeftOver { record, extra: datum.len() }),
        Ok(value) => Ok(value),
    }
}

/// Reads a framed record of a type that is known beforehand.
pub fn decode<R: Record>(bytes: &[u8]) -> Result<R, CodecError> {
    let (known, datum) = unframe(bytes)?;
    if known.full_name != R::FULL_NAME {
        return Err(CodecError::WrongRecord { wanted: R::FULL_NAME, found: known.full_name.clone() });
    }
    whole(known, datum, |reader| known.reader.read_deser(reader))
}

/// Reads any framed record as a generic value.
pub(crate) fn decode_value(bytes: &[u8]) -> Result<(&'static str, Value), CodecError> {
    let (known, datum) = unframe(bytes)?;
    let value = whole(known, datum, |reader| known.reader.read_value(reader))?;
    Ok((known.full_name.as_str(), value))
}

fn framed(id: u32, datum: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(5 + datum.len());
    bytes.push(0);
    bytes.extend_from_slice(&id.to_be_bytes());
    bytes.extend_from_slice(datum);
    bytes
}

/// Writes a record under its newest published schema.
pub fn encode<R: Record>(record: &R) -> Result<Vec<u8>, CodecError> {
    let known =
        newest(R::FULL_NAME).ok_or_else(|| CodecError::BadSchema(0, format!("{} is not published", R::FULL_NAME)))?;
    let datum = known.writer.write_ser_to_vec(record);
    let datum = datum.map_err(|source| CodecError::Write { record: R::FULL_NAME, source: Box::new(source) })?;
    Ok(framed(known.id, &datum))
}

/// Writes a generic value under the newest published schema of `full_name`.
pub(crate) fn encode_value(known: &'static Known, value: &Value) -> Result<Vec<u8>, CodecError> {
    let mut datum = Vec::new();
    let written = known.writer.write_value_ref(&mut datum, value);
    written.map_err(|source| CodecError::Write { record: known.full_name.as_str(), source: Box::new(source) })?;
    Ok(framed(known.id, &datum))
}
