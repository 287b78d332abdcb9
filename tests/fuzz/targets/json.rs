//! Commands and events as JSON: any text. What is read gives bytes that decode, and their JSON reads to the same bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pursight_fuzz::{justified, within};
use pursight_schemas::{Command, Event, json};

fuzz_target!(|input: &[u8]| {
    let Ok(document) = serde_json::from_slice::<serde_json::Value>(input) else { return };
    match within(4 * justified(input.len()), || json::read(&document)) {
        Ok(framed) => {
            assert!(Command::decode(&framed.bytes).is_ok() || Event::decode(&framed.bytes).is_ok());
            let shown = json::write(&framed.bytes).expect("what was read can be shown");
            let again = json::read(&shown).expect("what is shown can be read");
            assert_eq!(again.bytes, framed.bytes);
        }
        Err(problems) => {
            assert!(!problems.is_empty(), "a refusal says why");
            for problem in problems {
                assert!(problem.path.is_empty() || problem.path.starts_with('/'), "{problem}");
            }
        }
    }
});
