//! The read model is a fold: thrown away and folded again while commands flow, it is equal; changed by hand, it is not.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Result;
use pursight_schemas::Topic;
use pursight_tests::{Customer, Read, System};
use serde_json::{Value as Json, json};
use uuid::Uuid;

fn create(system: &System, name: &str) -> Json {
    json!({"type": "CreateDataSource", "meta": {"command_id": Uuid::new_v4(), "tenant_id": system.tenant, "actor": {"principal": "tester"}},
        "spec": {"name": name, "source_type": "POSTGRESQL", "location": "ON_PREM", "hosts": [{"host": "db.example"}]}})
}

/// A system with something in every table.
fn filled() -> Result<System> {
    let system = System::start()?;
    let customer = Customer::create()?;
    customer
        .sql
        .run("CREATE TABLE public.orders(id int PRIMARY KEY); CREATE VIEW public.v AS SELECT id FROM public.orders")?;
    customer.grant_all()?;
    let port = customer.port.to_string();
    let answer = system.call_with(&customer.words("orders", &port), &customer.password)?;
    assert_eq!(answer.code, 0, "{answer:?}");
    for word in ["test", "discover", "stats", "favorite"] {
        system.must(&["source", word, "orders"])?;
    }
    customer.sql.run("ALTER TABLE public.orders ADD COLUMN note text")?;
    system.must(&["source", "discover", "orders"])?;
    system.kafka.send(&system.tenant, b"garbage", &[], None)?;
    Ok(system)
}

#[test]
fn a_rebuild_while_commands_flow_is_equal() -> Result<()> {
    let system = filled()?;
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| -> Result<()> {
        let publisher = scope.spawn(|| -> Result<u32> {
            let mut sent = 0;
            while !stop.load(Ordering::SeqCst) {
                let (code, outcome) = system.send(&create(&system, &format!("flow {sent}")))?;
                assert_eq!(code, 0, "{outcome}");
                sent += 1;
            }
            Ok(sent)
        });
        let rebuilt = system.call(&["rebuild", "--json"]);
        stop.store(true, Ordering::SeqCst);
        let sent = publisher.join().expect("the publisher does not panic")?;
        let rebuilt = rebuilt?;
        assert_eq!(rebuilt.code, 0, "{rebuilt:?}");
        assert!(sent > 0, "nothing flowed");
        Ok(())
    })?;
    // The swapped schema goes on being folded.
    assert_eq!(system.send(&create(&system, "afterwards"))?.0, 0);
    let shown = system.must(&["source", "show", "afterwards", "--json"])?.json()?;
    assert_eq!(shown["version"], 1);
    Ok(())
}

#[test]
fn a_row_that_was_changed_by_hand_is_named() -> Result<()> {
    let system = filled()?;
    let id = system.sql.row("SELECT source_id FROM pursight.data_source WHERE name = 'orders'")?["source_id"]
        .as_str()
        .unwrap()
        .to_owned();
    system.sql.run("UPDATE pursight.data_source SET version = version + 1 WHERE name = 'orders'")?;
    let answer = system.call(&["rebuild"])?;
    assert_eq!(answer.code, 1, "{answer:?}");
    let said = format!("{}{}", answer.out, answer.err);
    assert!(said.contains("data_source") && said.contains(&id), "{said}");
    let kept = system.sql.row("SELECT version FROM pursight.data_source WHERE name = 'orders'")?;
    assert_eq!(kept["version"], 2, "the live table was touched");
    Ok(())
}

#[test]
fn any_topic_is_replayed_from_anywhere_with_complete_coordinates() -> Result<()> {
    let system = filled()?;
    for topic in Topic::ALL {
        let lines = |from: &str| -> Result<Vec<Json>> {
            let answer = system.must(&["replay", "--topic", topic.short(), "--from", from])?;
            answer.out.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
        };
        // Workers may write at any time, as one that takes partitions over does.
        let before = system.kafka.read(topic)?;
        let (all, later, long_ago) = (lines("beginning")?, lines("2")?, lines("2000-01-01T00:00:00Z")?);
        assert!(lines("2999-01-01T00:00:00Z")?.is_empty(), "{} from the future", topic.short());
        let after = system.kafka.read(topic)?;
        for (lines, from, what) in [(&all, 0, "beginning"), (&later, 2, "offset 2"), (&long_ago, 0, "long ago")] {
            let places = |read: &[Read]| -> BTreeSet<(i64, i64)> {
                read.iter().filter(|one| one.offset >= from).map(|one| (one.partition.into(), one.offset)).collect()
            };
            let place = |line: &Json| Some((line["partition"].as_i64()?, line["offset"].as_i64()?));
            let replayed: BTreeSet<(i64, i64)> = lines.iter().filter_map(place).collect();
            assert_eq!(replayed.len(), lines.len(), "{} from {what}: twice, or without a place", topic.short());
            assert!(places(&before).is_subset(&replayed), "{} from {what}: left out", topic.short());
            assert!(replayed.is_subset(&places(&after)), "{} from {what}: lies nowhere", topic.short());
        }
        for line in &all {
            let read = after.iter().find(|read| line["partition"] == read.partition && line["offset"] == read.offset);
            assert_eq!(
                (line["topic"].as_str(), line["key"].as_str()),
                (Some(topic.name(&system.kafka.prefix).as_str()), read.map(|read| read.key.as_str()))
            );
            assert!(line["timestamp"].is_string() && line["headers"].is_object(), "{line}");
        }
    }
    Ok(())
}
