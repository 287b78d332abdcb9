//! Schemas from elsewhere: any index of ids, any answer of a schema registry, and any datum under a schema that was
//! accepted. Reading never costs more than the datum's bytes justify.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pursight_fuzz::{justified, parts, within};
use pursight_schemas::codec;
use pursight_schemas::published::Entry;

fuzz_target!(|input: &[u8]| {
    let Some((mode, rest)) = input.split_first() else { return };
    match mode % 4 {
        0 => {
            let entries: Result<Vec<Entry>, _> = within(justified(rest.len()), || serde_json::from_slice(rest));
            let _ = entries;
        }
        1 => {
            let answer: Result<serde_json::Value, _> = serde_json::from_slice(rest);
            if let Some(text) = answer.ok().as_ref().and_then(|answer| answer["schema"].as_str()) {
                read(text, &[]);
            }
        }
        _ => {
            let [datum, text] = parts::<2>(rest, 1);
            read(&String::from_utf8_lossy(text), datum);
        }
    }
});

fn read(text: &str, datum: &[u8]) {
    let justified = justified(16 * text.len() + 64 * datum.len());
    if let Some((_, used)) = within(justified, || codec::read_foreign(text, datum)) {
        assert!(used > 0, "something was read out of nothing");
    }
}
