//! C2, terminal: each command has exactly one terminal outcome, of the payload that came first under its id; a repeat
//! changes nothing; everything else is exactly one dead letter with its coordinates. And the audit trail tells it so.

use std::collections::BTreeMap;

use pursight_schemas::{AuditDecision, Command, Event, Topic};

use super::view::{CommandKey, Placed, Role, Sent, command_topic, events, sent};
use super::{Judge, Place, Verdict};
use crate::history::{History, Recorded};

/// Headers that every dead letter has.
const HEADERS: [&str; 8] = ["topic", "partition", "offset", "code", "first-failed-at", "attempts", "worker", "version"];

pub(super) fn check(history: &History) -> Verdict {
    let promise = "each command has exactly one terminal outcome with its payload's hash; each other record exactly one dead letter with its coordinates";
    let mut judge = Judge::new("C2 terminal", promise);
    let sent = sent(history);
    outcomes(history, &sent, &mut judge);
    dead_letters(history, &sent, &mut judge);
    judge.verdict()
}

/// The outcomes of every command.
fn outcomes(history: &History, sent: &[Sent<'_>], judge: &mut Judge) {
    let all = events(history, Topic::Outcome);
    let mut told: BTreeMap<CommandKey, Vec<&Placed<'_>>> = BTreeMap::new();
    for one in all.iter().filter(|one| !matches!(one.event, Event::OwnershipTaken(_))) {
        match one.command() {
            Some(key) => told.entry(key).or_default().push(one),
            None => judge.found(one.place(), "an outcome of no command"),
        }
    }
    for one in sent.iter().filter(|one| one.role == Role::First) {
        let outcomes = one.key().and_then(|key| told.remove(&key)).unwrap_or_default();
        of_command(one, &outcomes, judge);
    }
    for one in told.into_values().flatten() {
        judge.found(one.place(), "an outcome of a command that nobody sent, or that may not be believed");
    }
}

/// The outcomes of one command, in log order.
fn of_command(sent: &Sent<'_>, outcomes: &[&Placed<'_>], judge: &mut Judge) {
    let terminal: Vec<_> = outcomes.iter().filter(|one| one.event.is_terminal_outcome()).collect();
    judge.expect(!terminal.is_empty(), || sent.place(), || "no terminal outcome".to_owned());
    for again in terminal.iter().skip(1) {
        judge.found(again.place(), format!("a second terminal outcome, of the command at {}", sent.place()));
    }
    if let (Some(end), Some(last)) = (terminal.first(), outcomes.last()) {
        let ended = last.record.offset <= end.record.offset || last.event.is_terminal_outcome();
        judge.expect(ended, || last.place(), || "an outcome behind the terminal one".to_owned());
    }
    let sha256 = super::sound::sha256(&sent.record.value);
    let hashes: Vec<_> = outcomes.iter().filter_map(|one| Some((one, payload(&one.event)?))).collect();
    for (one, hash) in &hashes {
        let what = || format!("it is of the payload {hash}, not of the first one {sha256}");
        judge.expect(**hash == sha256, || one.place(), what);
    }
    let what = || "no outcome carries the payload's hash".to_owned();
    judge.expect(outcomes.is_empty() || !hashes.is_empty(), || sent.place(), what);
    let kind = Command::decode(&sent.record.value).map(|command| command.full_name()).unwrap_or_default();
    for one in outcomes {
        let here = (one.record.partition, one.record.key.as_str());
        let there = (sent.record.partition, sent.record.key.as_str());
        judge.expect(here == there, || one.place(), || "it is not on the partition of its command".to_owned());
        let named = one.event.command_type();
        judge.expect(named == Some(kind), || one.place(), || format!("it is of a {named:?}, the command is a {kind}"));
    }
}

fn payload(event: &Event) -> Option<&str> {
    match event {
        Event::CommandAccepted(event) => Some(&event.payload_sha256),
        Event::CommandSucceeded(event) => event.payload_sha256.as_deref(),
        Event::CommandRejected(event) => event.payload_sha256.as_deref(),
        _ => None,
    }
}

/// Every record that is no command is one dead letter, and nothing else is.
fn dead_letters(history: &History, sent: &[Sent<'_>], judge: &mut Judge) {
    let topic = command_topic(history);
    let mut dead: BTreeMap<(String, String, String), Vec<&Recorded>> = BTreeMap::new();
    for letter in history.committed(Topic::DeadLetter) {
        let named = |name: &str| letter.header(&format!("pursight-dlq-{name}"));
        let missing: Vec<_> = HEADERS.iter().filter(|name| named(name).is_none()).collect();
        let place = || Place::record(Topic::DeadLetter, letter);
        judge.expect(missing.is_empty(), place, || format!("headers {missing:?} are missing"));
        let text = |name: &str| named(name).unwrap_or_default().to_owned();
        dead.entry((text("topic"), text("partition"), text("offset"))).or_default().push(letter);
    }
    for one in sent {
        let at = (topic.clone(), one.record.partition.to_string(), one.record.offset.to_string());
        let letters = dead.remove(&at).unwrap_or_default();
        let Role::Dead(code) = one.role else {
            for letter in letters {
                let place = Place::record(Topic::DeadLetter, letter).command(one.operation.command_id);
                judge.found(place, format!("a dead letter of a sound command, {}", one.place()));
            }
            continue;
        };
        let count = letters.len();
        judge.expect(count == 1, || one.place(), || format!("{count} dead letters instead of one ({code})"));
        for letter in letters {
            let found = letter.header("pursight-dlq-code").unwrap_or_default();
            let place = || Place::record(Topic::DeadLetter, letter);
            judge.expect(found == code, place, || format!("its code is {found}, and should be {code}"));
            judge.expect(letter.key == one.record.key, place, || "its key is not the original's".to_owned());
        }
    }
    for ((topic, partition, offset), letters) in dead {
        for letter in letters {
            let place = Place::record(Topic::DeadLetter, letter);
            judge.found(place, format!("a dead letter of {topic}/{partition}@{offset}, which is not there or of ours"));
        }
    }
}

/// C2, audit: every record of the command topic has one line in the trail, which says what became of it. Whoever handles
/// a record twice writes two.
pub(super) fn audit(history: &History) -> Verdict {
    let mut judge = Judge::new("C2 audit", "each record of the command topic has exactly one line in the audit trail");
    let topic = command_topic(history);
    let lines = events(history, Topic::Audit);
    let mut found: BTreeMap<(i32, i64), Vec<(&Placed<'_>, AuditDecision)>> = BTreeMap::new();
    for line in &lines {
        let Event::CommandAudited(audited) = &line.event else { continue };
        if audited.record.topic == topic {
            let at = (audited.record.partition, audited.record.offset);
            found.entry(at).or_default().push((line, audited.decision));
        }
    }
    for one in sent(history) {
        let told = found.remove(&(one.record.partition, one.record.offset)).unwrap_or_default();
        let count = told.len();
        judge.expect(count == 1, || one.place(), || format!("{count} lines instead of one"));
        for (line, decision) in told {
            let fits = match one.role {
                Role::First => matches!(decision, AuditDecision::Accepted | AuditDecision::Rejected),
                Role::Repeat => decision == AuditDecision::Repeated,
                Role::Dead(_) => decision == AuditDecision::RefusedUnverified,
            };
            let what = || format!("it says {decision:?} of a record that is {:?}", one.role);
            judge.expect(fits, || line.place(), what);
        }
    }
    for (line, _) in found.into_values().flatten() {
        judge.found(line.place(), "a line of a record that nobody sent");
    }
    judge.verdict()
}
