//! C4, whole: of the events of one command there are all that its decision gives, or none, and each once. An event's id
//! is of its command and of its place in the decision; the outcome comes last, so its own id says how many came before.

use std::collections::{BTreeMap, BTreeSet};

use pursight_schemas::{Afterwards, Command, CommandSucceeded, Event, Topic};
use uuid::Uuid;

use super::view::{CommandKey, Placed, Role, Sent, event_topics, events, sent};
use super::{Judge, Verdict};
use crate::history::History;

pub(super) fn check(history: &History) -> Verdict {
    let promise = "of the events of a command there are all that its decision gives, or none; no event is there twice";
    let mut judge = Judge::new("C4 whole", promise);
    let all: Vec<Placed<'_>> = event_topics().flat_map(|topic| events(history, topic)).collect();
    once(&all, &mut judge);
    let mut of: BTreeMap<CommandKey, Vec<&Placed<'_>>> = BTreeMap::new();
    for one in all.iter().filter(|one| one.topic != Topic::Audit && one.is_by("registry")) {
        if let Some(key) = one.command() {
            of.entry(key).or_default().push(one);
        }
    }
    let sent = sent(history);
    let first: BTreeMap<CommandKey, &Sent<'_>> =
        sent.iter().filter(|one| one.role == Role::First).filter_map(|one| Some((one.key()?, one))).collect();
    for (key, events) in &of {
        positions(key.1, events, &mut judge);
        if let Some(command) = first.get(key).and_then(|one| Command::decode(&one.record.value).ok()) {
            decision(&command, events, &mut judge);
        }
    }
    judge.verdict()
}

/// No event twice. A marker lies on two topics, once on each.
fn once(all: &[Placed<'_>], judge: &mut Judge) {
    let mut seen = BTreeSet::new();
    for one in all {
        let topic = matches!(one.event, Event::OwnershipTaken(_)).then_some(one.topic);
        let new = seen.insert((topic, one.meta().event_id));
        judge.expect(new, || one.place(), || format!("the event {} is there before", one.meta().event_id));
    }
}

/// The events of a decision are number 0, 1, 2 … with the outcome last.
fn positions(command_id: Uuid, events: &[&Placed<'_>], judge: &mut Judge) {
    let id = |position: usize| Uuid::new_v5(&command_id, position.to_string().as_bytes());
    let found: BTreeMap<Uuid, &&Placed<'_>> = events.iter().map(|one| (one.meta().event_id, one)).collect();
    let Some(any) = events.first() else { return };
    for position in 0..found.len() {
        let what = || format!("event {position} of its {} is missing", found.len());
        judge.expect(found.contains_key(&id(position)), || any.place(), what);
    }
    let last = found.get(&id(found.len() - 1));
    let told = last.is_some_and(|last| last.topic == Topic::Outcome);
    judge.expect(told, || any.place(), || "the last event of its decision is no outcome".to_owned());
}

/// Everything that the registry wrote about one command.
struct Written<'w> {
    source: Vec<&'w Event>,
    work: Vec<&'w Event>,
    cancels: usize,
    accepted: bool,
    rejected: bool,
    succeeded: Option<&'w CommandSucceeded>,
}

fn written<'w>(events: &[&'w Placed<'_>]) -> Written<'w> {
    let mut all =
        Written { source: Vec::new(), work: Vec::new(), cancels: 0, accepted: false, rejected: false, succeeded: None };
    for one in events {
        match &one.event {
            Event::WorkItem(_) => all.work.push(&one.event),
            Event::Cancel(_) => all.cancels += 1,
            Event::CommandAccepted(_) => all.accepted = true,
            Event::CommandRejected(_) => all.rejected = true,
            Event::CommandSucceeded(event) => all.succeeded = Some(event),
            _ if one.topic == Topic::Source => all.source.push(&one.event),
            _ => {}
        }
    }
    all
}

/// What was written is what the outcome says was decided.
fn decision(command: &Command, events: &[&Placed<'_>], judge: &mut Judge) {
    let all = written(events);
    let Some(any) = events.first() else { return };
    let place = || any.place();
    let counts =
        || format!("{} source events, {} work items, {} cancels", all.source.len(), all.work.len(), all.cancels);
    let nothing = all.source.is_empty() && all.work.is_empty() && all.cancels == 0;
    match all.succeeded {
        _ if all.rejected => judge.expect(nothing, place, || format!("rejected, and there are {}", counts())),
        Some(success) if command.meta().dry_run => {
            judge.expect(nothing, place, || format!("a dry run, and there are {}", counts()));
            judge.expect(success.version.is_none(), place, || "a dry run with a version".to_owned());
        }
        Some(success) => succeeded(command, success, &all, || any.place(), judge),
        None if all.accepted => accepted(command.meta().command_id, &all, || any.place(), judge),
        None => judge.expect(nothing, place, || format!("neither accepted nor done, and there are {}", counts())),
    }
}

/// A run was asked for, or the deadline had passed: one work item that answers the command, or nothing.
fn accepted(command_id: Uuid, all: &Written<'_>, place: impl Fn() -> super::Place, judge: &mut Judge) {
    let none = all.source.is_empty() && all.cancels == 0;
    judge.expect(none, &place, || "a run was asked for, and sources were changed".to_owned());
    let sound = match all.work.as_slice() {
        [] => true,
        [Event::WorkItem(item)] => item.answers_command && item.run_id == command_id,
        _ => false,
    };
    judge.expect(sound, place, || format!("{} work items, or one that answers another command", all.work.len()));
}

fn succeeded(
    command: &Command,
    success: &CommandSucceeded,
    all: &Written<'_>,
    place: impl Fn() -> super::Place,
    judge: &mut Judge,
) {
    let note = success.result.contains_key("note");
    let changed = |name: &str| success.result.get(name).and_then(|text| text.parse::<usize>().ok());
    let wanted = match command {
        Command::BulkUpdateDataSources(_) => changed("changed").unwrap_or(usize::MAX),
        Command::CancelRun(_) => 0,
        _ => usize::from(!note),
    };
    let found = all.source.len();
    judge.expect(found == wanted, &place, || format!("{found} source events instead of {wanted}"));
    if let (Some(version), [event]) = (success.version, all.source.as_slice())
        && !matches!(event, Event::FavoriteSet(_))
    {
        let meta = event.meta();
        let same = meta.sequence == version && meta.source_id == success.source_id;
        judge.expect(same, &place, || format!("the outcome says version {version}, the event {}", meta.sequence));
    }
    let cancels = usize::from(matches!(command, Command::CancelRun(_) | Command::DeleteDataSource(_)));
    judge.expect(all.cancels == cancels, &place, || format!("{} cancels instead of {cancels}", all.cancels));
    let follows = match command {
        Command::CreateDataSource(create) => matches!(create.afterwards, Afterwards::Test | Afterwards::Discover),
        // Its secrets are revoked only if it has any: the event before says so, not the command.
        Command::DeleteDataSource(_) => !all.work.is_empty(),
        _ => false,
    };
    let work = all.work.len();
    judge.expect(work == usize::from(follows), &place, || format!("{work} work items, a run follows: {follows}"));
}
