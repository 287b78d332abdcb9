//! Avro values as they arrive on topics: any bytes as a command and as an event. What is read can be written, reads the
//! same again, and can be shown as JSON and as a URI.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pursight_fuzz::{justified, within};
use pursight_schemas::{Command, DataSourceSpec, Event, codec, json, published};

#[path = "../../../workers/pursight/src/uri.rs"]
mod uri;

fuzz_target!(|input: &[u8]| {
    let Some((choice, datum)) = input.split_first() else { return };
    // Mutations hit the right id too seldom: most inputs choose one of the published by their first byte.
    let bytes = match published::ENTRIES.get(usize::from(*choice)) {
        Some(entry) => [&[0], &entry.id.to_be_bytes()[..], datum].concat(),
        None => datum.to_vec(),
    };
    let command = within(justified(bytes.len()), || Command::decode(&bytes));
    let event = within(justified(bytes.len()), || Event::decode(&bytes));
    // The reader of any value may believe one count a level of lists.
    let shown = within(4 * justified(bytes.len()), || json::write(&bytes));
    assert!(command.is_err() || event.is_err(), "a record is a command or an event");
    if let Ok(command) = &command {
        let again = command.encode().expect("what was read can be written");
        assert_eq!(Command::decode(&again).as_ref().ok(), Some(command));
        if let Command::CreateDataSource(create) = command {
            printed(&create.spec);
        }
    }
    if let Ok(event) = &event {
        let again = event.encode().expect("what was read can be written");
        assert_eq!(Event::decode(&again).as_ref().ok(), Some(event));
    }
    if command.is_ok() || event.is_ok() {
        assert!(shown.is_ok(), "what can be read can be shown");
    }
    assert_eq!(codec::full_name(&bytes).is_ok(), bytes.len() >= 5 && bytes[0] == 0 && known(&bytes));
});

fn known(bytes: &[u8]) -> bool {
    codec::schema_id(bytes).is_some_and(|id| published::text(id).is_some())
}

fn printed(spec: &DataSourceSpec) {
    for text in [uri::of(spec), uri::legacy(spec)].into_iter().flatten() {
        assert!(text.contains("://") && !text.contains(['\n', '\0', '"', ' ']), "{text:?}");
    }
}
