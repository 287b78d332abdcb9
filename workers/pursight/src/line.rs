//! One record of the log as one line: for programs with complete coordinates, for people in short. Pure.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pursight_schemas::{Micros, codec, json as records};
use serde_json::{Map, Value as Json, json};

use crate::error::chain;
use crate::tail::Seen;

/// A record with everything that it has: coordinates, time, key, headers, type and decoded value. Bytes that are no
/// text, and values that cannot be decoded, are given in base64.
pub fn document(seen: &Seen) -> Json {
    let mut line = Map::new();
    line.insert("topic".into(), json!(seen.topic));
    line.insert("partition".into(), json!(seen.partition));
    line.insert("offset".into(), json!(seen.offset));
    line.insert("timestamp".into(), json!(seen.timestamp_ms.map(|millis| Micros::from_millis(millis).rfc3339())));
    bytes_into(&mut line, "key", seen.key.as_deref());
    line.insert("headers".into(), Json::Object(headers(seen)));
    let value = seen.value.as_deref().unwrap_or_default();
    line.insert("schema_id".into(), json!(codec::schema_id(value)));
    line.insert("type".into(), json!(codec::full_name(value).ok()));
    match records::write(value) {
        Ok(Json::Object(mut fields)) => {
            fields.remove("type");
            line.insert("value".into(), Json::Object(fields));
        }
        Ok(other) => drop(line.insert("value".into(), other)),
        Err(error) => {
            line.insert("value_base64".into(), json!(seen.value.as_deref().map(|bytes| STANDARD.encode(bytes))));
            line.insert("undecodable".into(), json!(chain(&error)));
        }
    }
    Json::Object(line)
}

/// Headers by name; one that occurs several times has a list, one that is no text an object with its base64.
fn headers(seen: &Seen) -> Map<String, Json> {
    let mut headers: Map<String, Json> = Map::new();
    for (name, value) in &seen.headers {
        let value = match value.as_deref().map(|bytes| (bytes, std::str::from_utf8(bytes))) {
            None => Json::Null,
            Some((_, Ok(text))) => json!(text),
            Some((bytes, Err(_))) => json!({"base64": STANDARD.encode(bytes)}),
        };
        match headers.get_mut(name) {
            None => drop(headers.insert(name.clone(), value)),
            Some(Json::Array(several)) => several.push(value),
            Some(first) => *first = json!([first.clone(), value]),
        }
    }
    headers
}

fn bytes_into(object: &mut Map<String, Json>, name: &str, bytes: Option<&[u8]>) {
    match bytes.map(std::str::from_utf8) {
        None => object.insert(name.to_owned(), Json::Null),
        Some(Ok(text)) => object.insert(name.to_owned(), json!(text)),
        Some(Err(_)) => object.insert(format!("{name}_base64"), json!(STANDARD.encode(bytes.unwrap_or_default()))),
    };
}

/// One line for people: time, place, type, and what the record says beside its `meta`.
pub fn pretty(seen: &Seen) -> String {
    let time = seen.timestamp_ms.map(|millis| Micros::from_millis(millis).rfc3339()).unwrap_or_default();
    let time = time.get(11..23).unwrap_or(&time).to_owned();
    let place = format!("{}/{}/{}", seen.topic, seen.partition, seen.offset);
    let value = seen.value.as_deref().unwrap_or_default();
    let Ok(Json::Object(mut fields)) = records::write(value) else {
        return format!("{time}  {place}  ({} bytes that cannot be decoded)", value.len());
    };
    let name = fields.remove("type").and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default();
    let source = fields.get("meta").and_then(|meta| meta["source_id"].as_str()).map(|id| format!("  source {id}"));
    fields.remove("meta");
    fields.retain(|_, value| !is_empty(value));
    let rest = Json::Object(fields).to_string();
    let rest: String = if rest.chars().count() > 200 { rest.chars().take(199).chain(['…']).collect() } else { rest };
    format!("{time}  {name}{}  {}  {place}", source.unwrap_or_default(), crate::report::harmless(&rest))
}

fn is_empty(value: &Json) -> bool {
    match value {
        Json::Null => true,
        Json::String(text) => text.is_empty(),
        Json::Array(items) => items.is_empty(),
        Json::Object(fields) => fields.is_empty(),
        Json::Bool(_) | Json::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use pursight_schemas::{DataSourcePaused, Event, EventMeta};
    use uuid::Uuid;

    use super::*;

    fn seen(value: Vec<u8>) -> Seen {
        Seen {
            topic: "pursight.source.v1".into(),
            partition: 3,
            offset: 17,
            timestamp_ms: Some(1_700_000_000_123),
            key: Some(b"acme".to_vec()),
            headers: vec![
                ("ce_id".into(), Some(b"x".to_vec())),
                ("raw".into(), Some(vec![0xff])),
                ("ce_id".into(), Some(b"y".to_vec())),
            ],
            value: Some(value),
        }
    }

    #[test]
    fn a_line_has_complete_coordinates_and_the_decoded_value() {
        let meta = EventMeta { source_id: Some(Uuid::from_u128(5)), sequence: 2, ..EventMeta::default() };
        let event = Event::from(DataSourcePaused { meta });
        let line = document(&seen(event.encode().unwrap()));
        assert_eq!((&line["partition"], &line["offset"], &line["key"]), (&json!(3), &json!(17), &json!("acme")));
        assert_eq!(line["timestamp"], "2023-11-14T22:13:20.123000Z");
        assert_eq!(line["type"], "io.pursight.source.DataSourcePaused");
        assert_eq!(line["value"]["meta"]["sequence"], 2);
        assert_eq!(line["headers"], json!({"ce_id": ["x", "y"], "raw": {"base64": "/w=="}}));
        assert!(pretty(&seen(event.encode().unwrap())).contains("DataSourcePaused"));
    }

    #[test]
    fn garbage_is_kept_as_it_is() {
        let line = document(&seen(vec![1, 2, 3]));
        assert_eq!(line["value_base64"], "AQID");
        assert!(line["undecodable"].as_str().unwrap().contains("framing"));
        assert!(pretty(&seen(vec![1, 2, 3])).contains("cannot be decoded"));
    }
}
