//! Any bytes and any text, at every reader of records: nothing panics, and what was written is read again.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod records;

use proptest::prelude::*;
use pursight_schemas::names::{MAX_NAME_CHARS, SourceName};
use pursight_schemas::published::ENTRIES;
use pursight_schemas::{Command, Event, codec, json};
use records::{any_record, encoded, framed};
use serde_json::{Value as Json, json};

/// Shows the bytes to every decoder; whether one could read them.
fn shown_to_all(bytes: &[u8]) -> bool {
    let command = Command::decode(bytes).is_ok();
    let event = Event::decode(bytes).is_ok();
    let as_json = json::write(bytes).is_ok();
    assert!(!(command || event) || as_json, "what can be read can be shown");
    let _ = (codec::full_name(bytes), codec::schema_id(bytes));
    command || event
}

fn any_json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<f64>().prop_map(Json::from),
        ".{0,8}".prop_map(Json::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
            prop::collection::btree_map("[a-z_]{0,10}", inner, 0..4)
                .prop_map(|fields| Json::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read_again(document in any_record()) {
        let bytes = encoded(&document);
        let again = match Command::decode(&bytes) {
            Ok(command) => command.encode().unwrap(),
            Err(_) => Event::decode(&bytes).unwrap().encode().unwrap(),
        };
        prop_assert_eq!(&again, &bytes);
        let shown = json::write(&bytes).unwrap();
        prop_assert_eq!(encoded(&shown), bytes);
    }

    #[test]
    fn any_bytes_are_refused_or_read(datum in prop::collection::vec(any::<u8>(), 0..300), pick in any::<prop::sample::Index>()) {
        shown_to_all(&datum);
        shown_to_all(&framed(pick.get(&ENTRIES).id, &datum));
    }

    #[test]
    fn damaged_records_are_refused_or_read(
        (one, other) in (any_record(), any_record()),
        (at, cut, bit) in (any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0..8_u32),
    ) {
        let (one, other) = (encoded(&one), encoded(&other));
        let (at, cut) = (at.index(one.len()), cut.index(other.len()));
        let truncated = &one[..at];
        prop_assert!(!shown_to_all(truncated), "a part of a record is none");
        prop_assert!(!shown_to_all(&[&one[..], &other[..]].concat()), "two records are none");
        let mut flipped = one.clone();
        flipped[at] ^= 1 << bit;
        shown_to_all(&flipped);
        shown_to_all(&[truncated, &other[cut..]].concat());
    }

    #[test]
    fn any_json_is_refused_with_a_place_or_read(body in any_json(), pick in any::<prop::sample::Index>()) {
        let mut document = if body.is_object() { body.clone() } else { json!({"meta": body.clone()}) };
        document["type"] = json::short(&pick.get(&ENTRIES).record).into();
        for document in [body, document] {
            match json::read(&document) {
                Ok(framed) => prop_assert!(shown_to_all(&framed.bytes)),
                Err(problems) => {
                    prop_assert!(!problems.is_empty());
                    prop_assert!(problems.iter().all(|one| one.path.is_empty() || one.path.starts_with('/')));
                }
            }
        }
    }

    #[test]
    fn any_text_is_a_sound_name_or_none(text in "\\PC{0,140}|[\\x00-\\x20\u{ad}\u{200b}\u{202e}\u{feff}\u{fdfa}\u{130}ßſ]{0,20}|.{0,140}") {
        let Ok(name) = SourceName::parse(&text) else { return Ok(()) };
        prop_assert!((1..=MAX_NAME_CHARS).contains(&name.display.chars().count()));
        prop_assert!(!name.display.chars().any(char::is_control));
        prop_assert_eq!(SourceName::parse(&name.display), Ok(name.clone()), "a kept name stays as it is");
        prop_assert_eq!(SourceName::parse(&format!("  {text}\u{a0}")), Ok(name));
    }
}

#[test]
fn json_that_would_break_a_reader_is_refused() {
    let command = |name: &str| format!(r#"{{"type": "CreateDataSource", "spec": {{"name": {name}}}}}"#);
    let deep = |open: &str, close: &str| format!("{}1{}", open.repeat(100_000), close.repeat(100_000));
    for text in [
        deep("[", "]"),
        deep(r#"{"a":"#, "}"),
        command(r#""\ud800""#),
        command(r#""\udc00\ud800""#),
        command("1e400"),
        command("\"\u{1}\""),
        command("-"),
        command("NaN"),
    ] {
        assert!(serde_json::from_str::<Json>(&text).is_err(), "{}", &text[..text.len().min(80)]);
    }
    // Below the depth that the parser allows, but deeper than any record.
    let nested = command(&format!("{}1{}", "[".repeat(100), "]".repeat(100)));
    let huge = "123456789012345678901234567890";
    let numbers =
        format!(r#"{{"type": "DiscoverSchema", "source_id": {huge}, "meta": {{"expected_version": {huge}}}}}"#);
    for text in [nested, numbers, command(r#""a\u0000b""#)] {
        let problems = json::read(&serde_json::from_str(&text).unwrap()).unwrap_err();
        assert!(!problems.is_empty(), "{text}");
    }
    // Of two fields of one name the last counts, in the bytes as in what is shown of them.
    let twice = r#"{"type": "DataSourcePaused", "type": "Nothing"}"#;
    assert_eq!(json::read(&serde_json::from_str(twice).unwrap()).unwrap_err()[0].path, "/type");
}
