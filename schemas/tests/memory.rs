//! What reading may cost: no allocation above the caps, whatever the bytes say about lengths and counts. The allocator
//! of this binary counts.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod records;

use std::sync::{Mutex, PoisonError};

use peak_alloc::PeakAlloc;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use pursight_schemas::codec::{self, MAX_ALLOCATION_BYTES};
use pursight_schemas::published::ENTRIES;
use pursight_schemas::{Command, Event, json};
use records::{any_record, encoded, framed, varint};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// One measurement at a time: the allocator counts for the whole process.
static ALONE: Mutex<()> = Mutex::new(());

/// The most memory that this took at once.
fn cost(work: impl FnOnce()) -> usize {
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    work();
    MEMORY.peak_usage().saturating_sub(before)
}

/// Reads these bytes in every way. One length may be believed up to the cap, and each byte may become an empty text or
/// record of a list; the reader of any value may believe one count a level of lists besides.
fn measured(bytes: &[u8], what: &str) {
    // What is made once for all is not the record's cost.
    let _ = codec::full_name(bytes);
    let justified = MAX_ALLOCATION_BYTES + 4 * 1024 * 1024 + 512 * bytes.len();
    for (way, most, cost) in [
        ("command", justified, cost(|| drop(Command::decode(bytes)))),
        ("event", justified, cost(|| drop(Event::decode(bytes)))),
        ("JSON", 3 * MAX_ALLOCATION_BYTES + justified, cost(|| drop(json::write(bytes)))),
    ] {
        assert!(cost <= most, "{what}: as {way} a record of {} bytes cost {cost}, at most {most}", bytes.len());
    }
}

/// Lengths and counts that no record has, in both forms of a block.
fn bombs() -> Vec<Vec<u8>> {
    let large = [1_i64 << 60, i64::MAX, i64::MIN, -(1 << 60), 1 << 40, 1 << 31, 200_000_000, 16 << 20, -1];
    let mut bombs: Vec<Vec<u8>> = large.into_iter().map(varint).collect();
    bombs.push([varint(-(1 << 50)), varint(8)].concat());
    bombs.push(vec![0xff; 12]);
    bombs.push(vec![0x80; 64]);
    bombs
}

#[test]
fn a_bomb_at_any_place_of_any_record_costs_no_more_than_the_cap() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut runner = TestRunner::deterministic();
    for _ in 0..40 {
        let bytes = encoded(&any_record().new_tree(&mut runner).unwrap().current());
        let step = 1 + bytes.len() / 60;
        for at in (5..=bytes.len()).step_by(step) {
            for bomb in bombs() {
                measured(&[&bytes[..at], &bomb[..], &bytes[at..]].concat(), "a bomb in a record");
            }
        }
    }
    for entry in ENTRIES.iter() {
        for bomb in bombs() {
            measured(&framed(entry.id, &bomb.repeat(20)), &entry.record);
        }
    }
}

/// A map takes up to twice what its entries take; found by fuzzing.
#[test]
fn a_count_of_a_map_is_believed_only_as_far_as_the_map_stays_below_the_cap() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let [choice, datum @ ..] = include_bytes!("../../tests/fuzz/found/avro/count-of-a-map");
    let found = framed(ENTRIES[usize::from(*choice)].id, datum);
    measured(&found, "a map of 200 000 entries");
    let mut most = 0;
    for count in (1_000..210_000).step_by(1_000) {
        // The place of the count in what was found.
        let counted = [&found[..93], &varint(count)[..], &[0xff; 20]].concat();
        most = most.max(cost(|| drop(json::write(&counted))));
    }
    most = most.max(cost(|| drop(json::write(&found))));
    assert!(most <= MAX_ALLOCATION_BYTES, "{most}");
}

#[test]
fn the_largest_records_of_nothing_cost_a_bounded_multiple_of_their_bytes() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    for entry in ENTRIES.iter() {
        for filler in [0_u8, 2, 1, 0x80, 0xff, b'a'] {
            measured(&framed(entry.id, &vec![filler; 1024 * 1024]), &entry.record);
        }
    }
}

#[test]
fn damaged_records_cost_no_more_than_sound_ones() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut runner = TestRunner::deterministic();
    for _ in 0..200 {
        let case = (any_record(), any_record(), any::<prop::sample::Index>(), 0..8_u32).new_tree(&mut runner);
        let (one, other, at, bit) = case.unwrap().current();
        let (mut one, other) = (encoded(&one), encoded(&other));
        let at = at.index(one.len());
        one[at] ^= 1 << bit;
        measured(&one, "a flipped bit");
        measured(&one[..at], "a truncated record");
        measured(&[&one[..at], &other[other.len().min(at)..]].concat(), "two halves");
    }
}

#[test]
fn a_foreign_schema_that_would_make_reading_expensive_is_refused_and_leaves_nothing() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let (space, name) = Command::FULL_NAMES[0].rsplit_once('.').unwrap();
    let schema = |kind: &str| {
        format!(
            r#"{{"type": "record", "name": "{name}", "namespace": "{space}", "fields": [{{"name": "a", "type": {kind}}}]}}"#
        )
    };
    let refused = [
        schema(&format!(r#"["null", "{name}"]"#)),
        schema(r#"{"type": "array", "items": "null"}"#),
        schema(r#"{"type": "fixed", "name": "F", "size": 2000000000}"#),
        format!(r#"{{"type": "record", "name": "Foreign", "fields": [{{"name": "a", "type": "{}"}}]}}"#, "int"),
        "[".repeat(200_000),
        format!(r#"{{"type": "enum", "name": "E", "symbols": ["A"], "doc": "{}"}}"#, "x".repeat(500_000)),
    ];
    for text in &refused {
        assert!(codec::learn(7_000_001, text).is_err(), "{}", &text[..text.len().min(200)]);
    }
    let before = MEMORY.current_usage();
    for _ in 0..50 {
        refused.iter().for_each(|text| drop(codec::learn(7_000_001, text)));
    }
    let kept = MEMORY.current_usage().saturating_sub(before);
    assert!(kept < 64 * 1024, "{kept} bytes are kept of what was refused");
    assert!(codec::full_name(&framed(7_000_001, &[])).is_err());
    codec::learn(7_000_002, &schema(r#"["null", "string"]"#)).unwrap();
    assert_eq!(codec::full_name(&framed(7_000_002, &[])).unwrap(), Command::FULL_NAMES[0]);
    measured(&framed(7_000_002, &[[2].as_slice(), &varint(1 << 60)].concat()), "a learnt schema");
}
