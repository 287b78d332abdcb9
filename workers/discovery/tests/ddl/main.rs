//! Statements on a real PostgreSQL, one at a time, and what the next discovery says: exactly that change and no other.
//! Each is followed by a run that reads everything again and must find nothing.

#![expect(clippy::disallowed_methods, reason = "tests name things at random and read PURSIGHT_TEST_*")]
#![expect(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod statements;
mod support;

use pursight_schemas::{Change, Event};
use support::Source;

/// What was reported: changes as `KIND schema.name: CHANGE path, …`, drops as `- KIND schema.name by …`.
fn said(events: &[Event]) -> Vec<String> {
    let mut said = Vec::new();
    for event in events {
        match event {
            Event::SchemaChanged(event) => {
                let one = |change: &Change| format!("{} {}", change.kind.symbol(), change.path).trim_end().to_owned();
                let changes = event.changes.iter().map(one);
                let (object, changes) = (&event.object, changes.collect::<Vec<_>>().join(", "));
                said.push(format!("{} {}.{}: {changes}", object.kind.symbol(), object.schema, object.name));
            }
            Event::ObjectDropped(event) => {
                let by = if event.entailed_by.is_empty() {
                    String::new()
                } else {
                    format!(" by {}", event.entailed_by.join(", "))
                };
                let object = &event.object;
                said.push(format!("- {} {}.{}{by}", object.kind.symbol(), object.schema, object.name));
            }
            Event::DeletionHeld(event) => said.push(format!("held {}", event.objects.len())),
            Event::ObjectUnreadable(event) => panic!("unreadable: {event:?}"),
            _ => {}
        }
    }
    said.sort();
    said
}

#[tokio::test]
async fn each_statement_gives_exactly_its_change() {
    let mut source = Source::create(statements::SETUP).await;
    assert_eq!(said(&source.discover().await), Vec::<String>::new(), "the first run takes stock");
    let mut wrong = Vec::new();
    for (statement, wanted) in statements::STATEMENTS {
        if let Err(refused) = source.run(statement).await {
            wrong.push(refused);
            continue;
        }
        let mut wanted: Vec<String> = wanted.iter().map(|line| (*line).to_owned()).collect();
        wanted.sort();
        let found = said(&source.discover().await);
        if found != wanted {
            wrong.push(format!("{statement}\n  wanted {wanted:#?}\n  found {found:#?}"));
        }
        let again = source.read_all_again().await;
        if again.len() != 2 {
            wrong.push(format!("{statement}: said again {again:#?}"));
        }
    }
    source.drop().await;
    assert!(wrong.is_empty(), "{} of {} are wrong:\n{}", wrong.len(), statements::STATEMENTS.len(), wrong.join("\n"));
    assert!(statements::STATEMENTS.len() >= 40);
}

#[tokio::test]
async fn a_dropped_schema_of_many_tables_is_held_until_it_is_confirmed() {
    let tables: String = (0..12).map(|n| format!("CREATE TABLE big.t{n} (id integer PRIMARY KEY);")).collect();
    let mut source = Source::create(&format!("CREATE SCHEMA big; {tables} CREATE TABLE public.kept ();")).await;
    source.discover().await;
    source.run("DROP SCHEMA big CASCADE").await.expect("it goes");
    assert_eq!(said(&source.discover().await), ["held 12"]);
    assert_eq!(said(&source.discover().await), ["held 12"]);
    let confirmed = said(&source.confirm().await);
    assert_eq!(confirmed.iter().filter(|line| line.ends_with(" by big")).count(), 12, "{confirmed:#?}");
    assert_eq!(said(&source.discover().await), Vec::<String>::new());
    source.drop().await;
}
