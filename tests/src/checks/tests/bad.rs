//! Every way in which the log can be bad, and the check that names it.

use pursight_schemas::{DataSourceDeleted, DeleteMode, Event, Topic};
use uuid::Uuid;

use super::made::Made;
use super::parts::{CREATE, DISCOVER, OWNER, PARTITION, TENANT, create, event_record, letter, success};
use super::{both, finds, spoilt, verdict, violated};
use crate::history::{History, Recorded, RowHash, Sent, Shape};

const C0: &str = "C0 sound";
const C1: &str = "C1 acknowledged";
const C2: &str = "C2 terminal";
const AUDIT: &str = "C2 audit";
const C3: &str = "C3 order";
const C4: &str = "C4 whole";
const C5: &str = "C5 aborted";
const C6: &str = "C6 fenced";
const C7: &str = "C7 unique";

fn at_of(history: &History, topic: Topic, is: impl Fn(&Event) -> bool) -> usize {
    history.committed(topic).iter().position(|record| is(&record.event().unwrap())).unwrap()
}

#[test]
fn a_record_that_nobody_sent() {
    let stranger = |all: &mut Vec<Recorded>| {
        let headers = vec![("test-operation".to_owned(), "999".to_owned())];
        all.push(Recorded { offset: 50, headers, ..all[0].clone() });
    };
    let history = spoilt(|history| both(history, Topic::Command, stranger));
    finds(&history, C0, "no publisher sent", "command/4@50");
}

#[test]
fn a_record_that_is_not_what_was_sent() {
    let other = create(Uuid::from_u128(0xff), "Else").encode().unwrap();
    let history = spoilt(|history| both(history, Topic::Command, |all| all[0].value.clone_from(&other)));
    finds(&history, C0, "not what operation 0 sent", "command/4@0");
}

#[test]
fn an_event_that_cannot_be_read_and_one_on_a_foreign_topic() {
    let history = spoilt(|history| both(history, Topic::Outcome, |all| all[1].value.truncate(7)));
    finds(&history, C0, "cannot be read", "outcome/4@1");
    let history = spoilt(|history| {
        let source = history.committed(Topic::Source)[1].clone();
        both(history, Topic::Schema, |all| all.push(Recorded { offset: 70, ..source.clone() }));
    });
    finds(&history, C0, "does not belong", "schema/4@70");
}

#[test]
fn a_committed_record_that_does_not_lie_there() {
    let history = spoilt(|history| {
        history.uncommitted.get_mut(&Topic::Outcome).unwrap().remove(2);
    });
    finds(&history, C0, "read_uncommitted", "outcome/4@2");
}

#[test]
fn an_acknowledged_record_that_is_lost() {
    let history = spoilt(|history| both(history, Topic::Command, |all| drop(all.remove(3))));
    finds(&history, C1, "is not there", "operation 3");
}

#[test]
fn an_acknowledged_record_that_lies_elsewhere() {
    let history = spoilt(|history| history.operations[2].offset = Some(77));
    finds(&history, C1, "is not there", "command/4@77");
}

#[test]
fn a_refused_record_that_was_written() {
    let history = spoilt(|history| history.operations[1].result = Sent::Fail);
    finds(&history, C1, "was refused", "operation 1");
}

#[test]
fn a_record_of_unknown_fate_may_be_there_or_not() {
    let history = spoilt(|history| history.operations[1].result = Sent::Unknown);
    assert!(violated(&history).is_empty());
}

#[test]
fn a_command_without_an_outcome() {
    let history = spoilt(|history| {
        both(history, Topic::Outcome, |all| all.retain(|one| one.event().unwrap().meta().command_id != Some(CREATE)));
    });
    finds(&history, C2, "no terminal outcome", "command 00000000-0000-0000-0000-0000000000c1");
}

#[test]
fn a_run_that_was_accepted_and_never_ended() {
    let history = spoilt(|history| {
        let at = at_of(
            history,
            Topic::Outcome,
            |event| matches!(event, Event::CommandSucceeded(event) if event.meta.command_id == Some(DISCOVER)),
        );
        both(history, Topic::Outcome, |all| drop(all.remove(at)));
    });
    finds(&history, C2, "no terminal outcome", "0000000000c3");
}

#[test]
fn a_command_with_two_outcomes() {
    let mut made = Made::good();
    let again = create(CREATE, "Orders");
    made.repeat(&again);
    let of = made.first(&create(Uuid::from_u128(0xc9), "Twice"));
    made.succeeded(of, 1);
    made.outcome(of, |meta| success(meta, of, Some(1)));
    let history = made.history();
    finds(&history, C2, "a second terminal outcome", "0000000000c9");
}

#[test]
fn an_outcome_of_another_payload() {
    let history = spoilt(|history| {
        let at = at_of(history, Topic::Outcome, |event| matches!(event, Event::CommandSucceeded(_)));
        both(history, Topic::Outcome, |all| {
            let Event::CommandSucceeded(mut event) = all[at].event().unwrap() else { panic!("a success") };
            event.payload_sha256 = Some("0".repeat(64));
            all[at].value = Event::CommandSucceeded(event).encode().unwrap();
        });
    });
    finds(&history, C2, "of the payload 000", "outcome/4@1");
}

#[test]
fn an_outcome_on_another_partition_or_of_another_kind() {
    let history = spoilt(|history| both(history, Topic::Outcome, |all| all[1].partition = 5));
    finds(&history, C2, "not on the partition", "outcome/5@1");
    let history = spoilt(|history| {
        both(history, Topic::Outcome, |all| {
            let Event::CommandSucceeded(mut event) = all[1].event().unwrap() else { panic!("a success") };
            event.command_type = "io.pursight.command.DeleteDataSource".to_owned();
            all[1].value = Event::CommandSucceeded(event).encode().unwrap();
        });
    });
    finds(&history, C2, "the command is a io.pursight.command.CreateDataSource", "outcome/4@1");
}

#[test]
fn an_outcome_of_a_command_that_may_not_be_believed() {
    // Exactly what happens when an attestation is good for any payload.
    let mut made = Made::good();
    let forged = create(Uuid::from_u128(0xf1), "Forged");
    made.refused(&forged, Shape::Altered, "ATTESTATION_INVALID");
    let mut history = made.history();
    let believed = event_record(Topic::Outcome, 60, Uuid::from_u128(0xa2), &{
        let Event::CommandSucceeded(mut event) = history.committed(Topic::Outcome)[1].event().unwrap() else {
            panic!("a success")
        };
        event.meta.command_id = Some(Uuid::from_u128(0xf1));
        Event::CommandSucceeded(event)
    });
    both(&mut history, Topic::Outcome, |all| all.push(believed.clone()));
    both(&mut history, Topic::DeadLetter, |all| drop(all.pop()));
    finds(&history, C2, "may not be believed", "outcome/4@60");
    finds(&history, C2, "0 dead letters instead of one", "0000000000f1");
}

#[test]
fn a_record_without_its_dead_letter_or_with_two() {
    let history = spoilt(|history| both(history, Topic::DeadLetter, |all| drop(all.remove(0))));
    finds(&history, C2, "0 dead letters instead of one (PAYLOAD_MISMATCH)", "command/4@2");
    let history = spoilt(|history| {
        both(history, Topic::DeadLetter, |all| all.push(Recorded { offset: 40, ..all[1].clone() }));
    });
    finds(&history, C2, "2 dead letters instead of one", "command/4@");
}

#[test]
fn a_dead_letter_of_another_code_place_or_of_a_sound_command() {
    let history = spoilt(|history| both(history, Topic::DeadLetter, |all| all[0].headers[3].1 = "PANIC".to_owned()));
    finds(&history, C2, "its code is PANIC", "dead-letter/4@0");
    let history =
        spoilt(|history| both(history, Topic::DeadLetter, |all| all[0].headers[0].1 = "test.work".to_owned()));
    finds(&history, C2, "which is not there or of ours", "dead-letter/4@0");
    let sound = Recorded { offset: 41, ..letter(0, "PANIC") };
    let history = spoilt(|history| both(history, Topic::DeadLetter, |all| all.push(sound.clone())));
    finds(&history, C2, "of a sound command", "dead-letter/4@41");
    let history = spoilt(|history| both(history, Topic::DeadLetter, |all| drop(all[0].headers.pop())));
    finds(&history, C2, "\"version\"] are missing", "dead-letter/4@0");
}

#[test]
fn a_record_that_was_handled_twice_or_never_tells_it_in_the_trail() {
    let history = spoilt(|history| {
        both(history, Topic::Audit, |all| all.push(Recorded { offset: 80, ..all[1].clone() }));
    });
    finds(&history, AUDIT, "2 lines instead of one", "command/4@1");
    let history = spoilt(|history| both(history, Topic::Audit, |all| drop(all.remove(1))));
    finds(&history, AUDIT, "0 lines instead of one", "command/4@1");
}

#[test]
fn a_repeat_that_was_decided_again() {
    let mut made = Made::good();
    made.first(&create(CREATE, "Orders"));
    finds(&made.history(), AUDIT, "it says Accepted of a record that is Repeat", "audit/4");
}

#[test]
fn sequences_with_a_gap_a_repeat_or_out_of_order() {
    for (sequence, what) in [(4, "sequence 4 after 2"), (2, "sequence 2 after 2"), (1, "sequence 1 after 2")] {
        let history = spoilt(|history| {
            let at = at_of(history, Topic::Source, |event| matches!(event, Event::DataSourceDeleted(_)));
            both(history, Topic::Source, |all| {
                let Event::DataSourceDeleted(mut event) = all[at].event().unwrap() else { panic!("a deletion") };
                event.meta.sequence = sequence;
                all[at].value = Event::DataSourceDeleted(event).encode().unwrap();
            });
        });
        finds(&history, C3, what, "source/4@3");
    }
}

#[test]
fn runs_with_a_gap_without_end_or_going_on_behind_it() {
    let history = spoilt(|history| both(history, Topic::Schema, |all| drop(all.remove(1))));
    finds(&history, C3, "attempt 2 has sequence 1, not 0", "run 00000000-0000-0000-0000-0000000000c3");
    let history = spoilt(|history| both(history, Topic::Schema, |all| drop(all.pop())));
    finds(&history, C3, "attempt 2 has no end", "0000000000c3");
    let history = spoilt(|history| {
        both(history, Topic::Schema, |all| all.push(Recorded { offset: 9, ..all[0].clone() }));
    });
    finds(&history, C3, "goes on behind the run's end", "schema/4@9");
    finds(&history, C3, "attempt 1 behind attempt 2", "schema/4@9");
}

#[test]
fn a_decision_that_is_visible_in_part() {
    let history = spoilt(|history| both(history, Topic::Source, |all| drop(all.remove(1))));
    finds(&history, C4, "event 0 of its 1 is missing", "0000000000c1");
    let history = spoilt(|history| both(history, Topic::Control, Vec::clear));
    finds(&history, C4, "event 1 of its 2 is missing", "0000000000c5");
    let history = spoilt(|history| {
        let at = history.committed(Topic::Outcome).len() - 1;
        both(history, Topic::Outcome, |all| drop(all.remove(at)));
    });
    finds(&history, C4, "no outcome", "0000000000c6");
}

#[test]
fn an_event_that_is_there_twice() {
    let history = spoilt(|history| {
        both(history, Topic::WorkDiscovery, |all| all.push(Recorded { offset: 9, ..all[0].clone() }));
    });
    finds(&history, C4, "is there before", "work.discovery/4@9");
}

#[test]
fn an_outcome_that_does_not_tell_what_was_written() {
    // A success with a version, and no event of a source.
    let mut made = Made::good();
    let of = made.first(&create(Uuid::from_u128(0xc9), "Nothing"));
    made.succeeded(of, 1);
    finds(&made.history(), C4, "0 source events instead of 1", "0000000000c9");
    // A refusal with an event.
    let mut made = Made::good();
    let of = made.first(&create(Uuid::from_u128(0xc9), "Refused"));
    made.source_event(of, 4, |meta| DataSourceDeleted { meta, mode: DeleteMode::Soft }.into());
    made.rejected_late(of);
    finds(&made.history(), C4, "rejected, and there are 1 source events", "0000000000c9");
    // Another version than that of the event.
    let mut made = Made::good();
    let of = made.first(&create(Uuid::from_u128(0xc9), "Version"));
    made.source_event(of, 4, |meta| DataSourceDeleted { meta, mode: DeleteMode::Soft }.into());
    made.succeeded(of, 7);
    finds(&made.history(), C4, "the outcome says version 7, the event 4", "0000000000c9");
}

#[test]
fn an_aborted_event_in_the_read_model() {
    let history = spoilt(|history| {
        let id = Uuid::from_u128(0xdead).to_string();
        history.live.push(RowHash { table: "schema_change".to_owned(), id, hash: String::new() });
    });
    finds(&history, C5, "an aborted event is in the read model", "source/4@90");
}

#[test]
fn an_event_of_an_ousted_owner_of_nobody_or_before_any_marker() {
    let last = |history: &History| history.committed(Topic::Source).len() - 1;
    let owned = |owner: Option<Uuid>| {
        spoilt(|history| {
            let at = last(history);
            both(history, Topic::Source, |all| {
                all[at].headers.retain(|(name, _)| name != "pursight-owner");
                all[at].headers.extend(owner.map(|owner| ("pursight-owner".to_owned(), owner.to_string())));
            });
        })
    };
    finds(&owned(Some(OWNER)), C6, "the newest marker is of", "source/4@5");
    finds(&owned(None), C6, "it is by the owner None", "source/4@5");
    let history = spoilt(|history| both(history, Topic::Outcome, |all| drop(all.remove(0))));
    finds(&history, C6, "the newest marker is of None", "outcome/4@1");
    finds(&history, C6, "are not the same", "source/4");
}

#[test]
fn two_live_sources_of_one_name() {
    let mut made = Made::good();
    made.create(Uuid::from_u128(0xc9), Uuid::from_u128(0x53), "sales");
    finds(&made.history(), C7, "which is live", "0000000000c9");
}

#[test]
fn a_name_whose_key_was_folded_otherwise() {
    let mut made = Made::good();
    // Lower case alone is no folding.
    made.create(Uuid::from_u128(0xc9), Uuid::from_u128(0x53), "STRASSE Straße");
    finds(&made.history(), C7, "not \"strasse strasse\"", "0000000000c9");
}

#[test]
fn places_lead_to_the_record() {
    let history = spoilt(|history| both(history, Topic::DeadLetter, |all| drop(all.remove(0))));
    let found = verdict(&history, C2).violations;
    assert_eq!(
        found[0].to_string(),
        format!(
            "C2 terminal command/{PARTITION}@2, command {CREATE}: 0 dead letters instead of one (PAYLOAD_MISMATCH)"
        ),
        "{TENANT}"
    );
}
