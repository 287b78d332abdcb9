//! Whatever is asked for, in whatever order: no two live sources share a name, versions have no gap.

use std::collections::BTreeMap;

use proptest::prelude::*;
use pursight_schemas::{Command, Event};
use serde_json::{Value, json};

use super::{World, bytes, id, spec};

#[derive(Debug, Clone)]
enum Step {
    Create(u8, u8),
    Rename(u8, u8),
    Delete(u8, bool),
    Restore(u8),
    Pause(u8),
    Resume(u8),
    Bulk(u8),
}

fn step() -> impl Strategy<Value = Step> {
    let source = 0..6_u8;
    let name = 0..4_u8;
    prop_oneof![
        (source.clone(), name.clone()).prop_map(|(source, name)| Step::Create(source, name)),
        (source.clone(), name).prop_map(|(source, name)| Step::Rename(source, name)),
        (source.clone(), prop::bool::weighted(0.2)).prop_map(|(source, purge)| Step::Delete(source, purge)),
        source.clone().prop_map(Step::Restore),
        source.clone().prop_map(Step::Pause),
        source.prop_map(Step::Resume),
        (0..9_u8).prop_map(Step::Bulk),
    ]
}

/// Names that are the same to people, written differently each time.
fn name(number: u8, upper: bool) -> String {
    let name = ["orders", "straße", "ﬁles", "shop"][usize::from(number)];
    if upper { name.to_uppercase() } else { name.to_owned() }
}

fn command(at: usize, step: &Step) -> Command {
    let source = |number: u8| id(u128::from(number) + 1);
    let upper = at % 2 == 1;
    let (kind, body): (&str, Value) = match step {
        Step::Create(number, named) => {
            ("CreateDataSource", json!({"source_id": source(*number), "spec": spec(&name(*named, upper))}))
        }
        Step::Rename(number, named) => {
            ("UpdateDataSource", json!({"source_id": source(*number), "patch": {"name": name(*named, upper)}}))
        }
        Step::Delete(number, purge) => {
            let mode = if *purge { "PURGE" } else { "SOFT" };
            ("DeleteDataSource", json!({"source_id": source(*number), "mode": mode}))
        }
        Step::Restore(number) => ("RestoreDataSource", json!({"source_id": source(*number)})),
        Step::Pause(number) => ("PauseDataSource", json!({"source_id": source(*number)})),
        Step::Resume(number) => ("ResumeDataSource", json!({"source_id": source(*number)})),
        Step::Bulk(owner) => ("BulkUpdateDataSources", json!({"filter": {}, "patch": {"owner": owner.to_string()}})),
    };
    Command::decode(&bytes(id(10_000 + at as u128), kind, &body)).unwrap()
}

/// A fold of its own, as an outside reader of the topic would write it.
#[derive(Default)]
struct Reader {
    versions: BTreeMap<uuid::Uuid, i64>,
    live: BTreeMap<uuid::Uuid, String>,
}

impl Reader {
    fn read(&mut self, event: &Event) {
        let source = event.meta().source_id.unwrap();
        let version = self.versions.entry(source).or_default();
        assert_eq!(event.meta().sequence, *version + 1, "no gap, no repeat");
        *version += 1;
        match event {
            Event::DataSourceCreated(one) => drop(self.live.insert(source, one.name_key.clone())),
            Event::DataSourceUpdated(one) => drop(self.live.insert(source, one.name_key.clone())),
            Event::DataSourceRestored(one) => drop(self.live.insert(source, one.name_key.clone())),
            Event::DataSourceDeleted(_) => drop(self.live.remove(&source)),
            _ => {}
        }
        let mut names: Vec<&String> = self.live.values().collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count, "no two live sources share a name");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_sequence_of_commands_breaks_names_or_versions(steps in prop::collection::vec(step(), 1..60)) {
        let mut world = World::new();
        let mut reader = Reader::default();
        for (at, step) in steps.iter().enumerate() {
            if let Ok(decision) = world.decide_command(&command(at, step)) {
                decision.events.iter().for_each(|event| reader.read(event));
            }
        }
    }

    #[test]
    fn the_same_commands_are_decided_the_same(steps in prop::collection::vec(step(), 1..30)) {
        let run = || {
            let mut world = World::new();
            let decided = steps.iter().enumerate().map(|(at, step)| world.decide_command(&command(at, step)));
            decided.collect::<Vec<_>>()
        };
        prop_assert_eq!(run(), run());
    }
}
