//! The contract as it lies in the repository: every record readable in every version, every example a test.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use pursight_schemas::compat::{self, Sources};
use pursight_schemas::published::{self, ENTRIES};
use pursight_schemas::{Command, Event, codec, json};
use serde_json::Value as Json;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn sources() -> Sources {
    let mut sources = Sources::new();
    for folder in fs::read_dir(root().join("avro")).unwrap() {
        for file in fs::read_dir(folder.unwrap().path()).unwrap() {
            let file = file.unwrap().path();
            compat::add_source(&mut sources, &file.display().to_string(), &fs::read_to_string(&file).unwrap()).unwrap();
        }
    }
    sources
}

fn examples() -> Vec<(PathBuf, Json)> {
    let mut found = Vec::new();
    for folder in fs::read_dir(root().join("examples")).unwrap() {
        for file in fs::read_dir(folder.unwrap().path()).unwrap() {
            let file = file.unwrap().path();
            let json = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
            found.push((file, json));
        }
    }
    found
}

#[test]
fn what_is_edited_is_what_was_published_last() {
    let sources = sources();
    for record in compat::records(&sources) {
        let newest = ENTRIES.iter().filter(|entry| entry.record == record).max_by_key(|entry| entry.version);
        let newest = newest.unwrap_or_else(|| panic!("{record} was never published: run ./dev schemas publish"));
        let text: Json = serde_json::from_str(published::text(newest.id).unwrap()).unwrap();
        let edited = compat::inline(&sources, &record).unwrap();
        assert_eq!(text, edited, "{record} was edited: run ./dev schemas publish, which checks and adds a version");
    }
}

#[test]
fn every_version_reads_every_other() {
    let mut versions: BTreeMap<&str, Vec<(u32, &str)>> = BTreeMap::new();
    for entry in ENTRIES.iter() {
        let text = published::text(entry.id).expect("ids.json names a file of published/");
        let earlier = versions.entry(&entry.record).or_default();
        compat::check(&entry.record, text, earlier).unwrap_or_else(|error| panic!("{error}"));
        earlier.push((entry.version, text));
    }
    assert_eq!(versions.len(), Command::FULL_NAMES.len() + Event::FULL_NAMES.len());
}

#[test]
fn every_record_has_a_reader_and_an_example() {
    let examples = examples();
    for name in Command::FULL_NAMES.iter().chain(Event::FULL_NAMES) {
        assert!(ENTRIES.iter().any(|entry| entry.record == *name), "{name} is not published");
        assert!(examples.iter().any(|(_, json)| json["type"] == json::short(name)), "{name} has no example");
    }
}

/// JSON to bytes, to the Rust type, to bytes again and back to JSON: nothing is lost on the way, and a field of the
/// structs that the schema does not know (or the reverse) cannot hide.
#[test]
fn examples_survive_the_whole_way() {
    for (file, example) in examples() {
        let file = file.display();
        let framed = json::read(&example).unwrap_or_else(|problems| panic!("{file}: {problems:?}"));
        let again = match Command::decode(&framed.bytes) {
            Ok(command) => command.encode().unwrap(),
            Err(_) => {
                Event::decode(&framed.bytes).unwrap_or_else(|error| panic!("{file}: {error:?}")).encode().unwrap()
            }
        };
        assert_eq!(framed.bytes, again, "{file}: the Rust type writes other bytes than the schema");
        let written = json::write(&again).unwrap();
        assert_eq!(json::read(&written).unwrap().bytes, again, "{file}: the JSON form does not come back");
        for (name, value) in example.as_object().unwrap() {
            assert!(includes(&written[name], value), "{file}: {name} is {} and should be {value}", written[name]);
        }
    }
}

/// Whether everything that is said in `part` is also in `whole`, which may say more (defaults).
fn includes(whole: &Json, part: &Json) -> bool {
    match (whole, part) {
        (Json::Object(whole), Json::Object(part)) => {
            part.iter().all(|(name, value)| whole.get(name).is_some_and(|found| includes(found, value)))
        }
        (Json::Array(whole), Json::Array(part)) => {
            whole.len() == part.len() && whole.iter().zip(part).all(|(whole, part)| includes(whole, part))
        }
        (whole, part) => whole == part,
    }
}

/// An empty struct of ours and an empty JSON object mean the same: serde's defaults are Avro's.
#[test]
fn defaults_of_the_types_are_those_of_the_schemas() {
    let example = json::read(&serde_json::json!({
        "type": "CreateDataSource",
        "meta": {"command_id": "00000000-0000-0000-0000-000000000000", "tenant_id": "", "actor": {"principal": ""}},
        "spec": {"name": ""}
    }));
    assert_eq!(example.unwrap().bytes, codec::encode(&pursight_schemas::CreateDataSource::default()).unwrap());
}

#[test]
fn an_unknown_symbol_does_not_stop_a_reader() {
    let record = "io.pursight.command.DeleteDataSource";
    let entry = ENTRIES.iter().find(|entry| entry.record == record).unwrap();
    let newer = published::text(entry.id).unwrap().replace("\"PURGE\"", "\"PURGE\", \"SHRED\"");
    codec::learn(77, &newer).unwrap();
    let mut bytes = json::read(&serde_json::json!({
        "type": "DeleteDataSource", "source_id": "018f4f5e-7c1a-7d2b-9a55-0c2f6a4d1e01", "mode": "PURGE",
        "meta": {"command_id": "018f4f5e-7c1a-7d2b-9a55-0c2f6a4d1e01", "tenant_id": "acme", "actor": {"principal": "ada"}}
    })).unwrap().bytes;
    bytes[1..5].copy_from_slice(&77_u32.to_be_bytes());
    *bytes.last_mut().unwrap() = 6; // the third symbol behind UNKNOWN, zigzag
    let read: pursight_schemas::DeleteDataSource = codec::decode(&bytes).unwrap();
    assert_eq!(read.mode, pursight_schemas::DeleteMode::Unknown);
}

/// The parser panics on this one when it has the default before it: it does not fit, and `symbols` is not the record's own.
#[test]
fn a_foreign_schema_may_have_defaults_and_attributes_of_any_kind() {
    let inner =
        r#"{"type": "record", "name": "X", "fields": [{"name": "b", "type": "int"}], "symbols": [null], "size": "x"}"#;
    let field = format!(r#"{{"name": "a", "type": {inner}, "default": "none", "items": 1, "order": "ignore"}}"#);
    let name = r#""name": "CancelRun", "namespace": "io.pursight.command""#;
    codec::learn(78, &format!(r#"{{"type": "record", {name}, "fields": [{field}], "doc": 7}}"#)).unwrap();
    assert_eq!(codec::full_name(&[0, 0, 0, 0, 78]).unwrap(), "io.pursight.command.CancelRun");
}

#[test]
fn hostile_bytes_are_errors() {
    let good = codec::encode(&pursight_schemas::CancelRun::default()).unwrap();
    let id = &good[..5];
    for end in 0..good.len() {
        assert!(Command::decode(&good[..end]).is_err(), "cut at {end}");
    }
    let extra = [good.as_slice(), &[0]].concat();
    assert!(matches!(Command::decode(&extra), Err(codec::CodecError::LeftOver { extra: 1, .. })));
    let unknown = [&[0, 0xff, 0xff, 0xff, 0xff], &good[5..]].concat();
    assert!(matches!(Command::decode(&unknown), Err(codec::CodecError::UnknownSchema(u32::MAX))));
    let endless_text = [id, &[0xff; 9], &[1]].concat();
    assert!(Command::decode(&endless_text).is_err());
    assert!(Command::decode(&[1, 0, 0, 0, 0]).is_err());
}

#[test]
fn faults_of_json_are_all_named_with_their_paths() {
    let problems = json::read(&serde_json::json!({
        "type": "CreateDataSource",
        "meta": {"command_id": "nonsense", "actor": {"principal": "ada"}},
        "spec": {"name": "a", "hosts": [{"host": "h", "port": "5432"}], "source_type": "ORACLE", "pass/word": "x"}
    }))
    .unwrap_err();
    let paths: Vec<&str> = problems.iter().map(|problem| problem.path.as_str()).collect();
    for path in ["/meta/command_id", "/meta/tenant_id", "/spec/hosts/0/port", "/spec/source_type", "/spec/pass~1word"] {
        assert!(paths.contains(&path), "{path} is not in {paths:?}");
    }
    assert_eq!(problems.len(), 5, "{problems:?}");
}

#[test]
fn the_same_json_gives_the_same_bytes() {
    let names: serde_json::Map<String, Json> = (0..20).map(|at| (format!("k{at}"), Json::from("v"))).collect();
    let command = serde_json::json!({
        "type": "CreateDataSource",
        "meta": {"command_id": uuid::Uuid::nil(), "tenant_id": "acme", "actor": {"principal": "ada"}},
        "spec": {"name": "orders", "source_type": "POSTGRESQL", "location": "ON_PREM", "properties": names},
    });
    let bytes = json::read(&command).unwrap().bytes;
    assert!((0..5).all(|_| json::read(&command).unwrap().bytes == bytes));
}
