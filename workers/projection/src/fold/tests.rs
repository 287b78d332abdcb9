//! The rules of numbering, of owners and of time, as tables. No database: rows that were there are given by hand.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::prelude::*;
use pursight_engine::{Outgoing, Record, TraceParent};
use pursight_read_model::fold::Prior;
use pursight_read_model::position::Position;
use pursight_schemas::*;
use uuid::Uuid;

use super::{Verdict, fold, time};
use crate::decode::Message;
use crate::state::State;

const OWNER: Uuid = Uuid::from_u128(7);

fn state(topic: Topic) -> State {
    let position = Position {
        topic: topic.short().to_owned(),
        partition: 0,
        cluster_id: None,
        topic_id: None,
        next_offset: 0,
        epoch: 1,
        owner: Some(OWNER),
        chain_hash: None,
        newest_record_at: None,
    };
    State::new(position, Prior::default())
}

fn meta(sequence: i64, attempt: i32) -> EventMeta {
    EventMeta {
        event_id: ids::run_event_id(Uuid::from_u128(5), attempt, sequence),
        tenant_id: "acme".into(),
        source_id: Some(Uuid::from_u128(1)),
        command_id: Some(Uuid::from_u128(2)),
        sequence,
        ..EventMeta::default()
    }
}

/// What an event comes to; `None`: its partition is halted.
fn verdict(state: &mut State, topic: Topic, event: impl Into<Event>, owner: Option<Uuid>) -> Option<Verdict> {
    let event = event.into();
    let trace = TraceParent::of(None, event.meta().event_id);
    let mut out = Outgoing::event(topic, "acme", &event, "statistics", &trace).unwrap();
    if let Some(owner) = owner {
        out = out.with_header("pursight-owner", owner.to_string());
    }
    let record = Record {
        topic,
        partition: 0,
        offset: state.position.next_offset,
        timestamp: event.meta().occurred_at,
        key: Vec::new(),
        value: out.value,
        headers: out.headers.into_iter().map(|(name, value)| (name, value.into_bytes())).collect(),
    };
    fold(state, &Message::read(&record).unwrap()).ok()
}

#[test]
fn a_sources_versions_follow_one_another() {
    let mut state = state(Topic::Source);
    let mut step =
        |sequence| verdict(&mut state, Topic::Source, DataSourcePaused { meta: meta(sequence, 1) }, Some(OWNER));
    assert_eq!(step(2), None, "the first is 1");
    assert_eq!(step(1), Some(Verdict::Folded));
    assert_eq!(step(1), Some(Verdict::Repeated));
    assert_eq!(step(3), None);
    assert_eq!(step(2), Some(Verdict::Folded));
    assert_eq!(step(1), Some(Verdict::Repeated));
}

#[test]
fn a_runs_numbers_follow_one_another_within_an_attempt_and_end_with_it() {
    let run_id = Uuid::from_u128(5);
    let mut state = state(Topic::Statistics);
    let mut step = |sequence: i64, attempt: i32, ends: bool| {
        let meta = meta(sequence, attempt);
        let event: Event = if ends {
            StatisticsCollected { meta, run_id, ..StatisticsCollected::default() }.into()
        } else {
            ObjectStatisticsObserved { meta, run_id, ..ObjectStatisticsObserved::default() }.into()
        };
        verdict(&mut state, Topic::Statistics, event, None)
    };
    let table = [
        (1, 1, false, None),
        (0, 1, false, Some(Verdict::Folded)),
        (0, 1, false, Some(Verdict::Repeated)),
        (2, 1, false, None),
        (1, 1, false, Some(Verdict::Folded)),
        (0, 2, false, Some(Verdict::Folded)),
        (0, 2, false, Some(Verdict::Repeated)),
        (1, 2, true, Some(Verdict::Folded)),
        (2, 2, false, Some(Verdict::Repeated)),
        (0, 3, false, Some(Verdict::Repeated)),
    ];
    for (at, (sequence, attempt, ends, wanted)) in table.into_iter().enumerate() {
        assert_eq!(step(sequence, attempt, ends), wanted, "step {at}");
    }
}

#[test]
fn only_the_newest_owners_events_are_folded() {
    let other = Uuid::from_u128(8);
    let outcome = || CommandAccepted { meta: meta(0, 1), ..CommandAccepted::default() };
    let paused = || DataSourcePaused { meta: meta(1, 1) };
    for (owner, source, told) in [
        (Some(OWNER), Verdict::Folded, Verdict::Folded),
        (Some(other), Verdict::Foreign, Verdict::Foreign),
        // Runners answer commands too, and they stand under no marker.
        (None, Verdict::Foreign, Verdict::Folded),
    ] {
        assert_eq!(verdict(&mut state(Topic::Source), Topic::Source, paused(), owner), Some(source), "{owner:?}");
        assert_eq!(verdict(&mut state(Topic::Outcome), Topic::Outcome, outcome(), owner), Some(told), "{owner:?}");
    }
    let mut state = state(Topic::Source);
    let marker = OwnershipTaken { meta: EventMeta { event_id: other, ..EventMeta::default() }, worker: String::new() };
    assert_eq!(verdict(&mut state, Topic::Source, marker, Some(other)), Some(Verdict::Noted));
    assert_eq!(verdict(&mut state, Topic::Source, paused(), Some(OWNER)), Some(Verdict::Foreign));
    assert_eq!(verdict(&mut state, Topic::Source, paused(), Some(other)), Some(Verdict::Folded));
}

#[test]
fn record_time_alone_forgets_commands_and_never_goes_back() {
    let mut state = state(Topic::Outcome);
    let mut at = |day: i64| {
        let mut event = CommandAccepted { meta: meta(0, 1), ..CommandAccepted::default() };
        event.meta.occurred_at = Micros(day * 86_400_000_000 + 5);
        verdict(&mut state, Topic::Outcome, event, Some(OWNER));
        state.forget_commands.map(|(_, before)| before.timestamp() / 86_400)
    };
    assert_eq!(at(100), None, "there was no day before");
    assert_eq!(at(100), None);
    assert_eq!(at(101), Some(70));
    assert_eq!(at(90), Some(70));
    assert_eq!(at(140), Some(109));
}

proptest! {
    #[test]
    fn any_number_is_a_time_that_can_be_stored(micros: i64) {
        let time = time(Micros(micros));
        prop_assert!((1..=9_999).contains(&chrono::Datelike::year(&time)));
    }
}
