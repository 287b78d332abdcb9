//! Whole runs through the engine's loop over an in-memory log, against a server that is scripted to misbehave.

#![expect(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod fake;

use fake::{Fault, Rig, events, eventually, table};
use pursight_schemas::{Cancel, Event, ScopeFilter, Topic};
use uuid::Uuid;

fn three() -> Rig {
    Rig::new(vec![table("db", "a", 1), table("db", "b", 2), table("db", "c", 3)])
}

const STOCK: [&str; 5] =
    ["DiscoveryStarted", "observed db.a", "observed db.b", "observed db.c", "SchemaSnapshotCompleted"];

fn result(outcome: &Event, name: &str) -> String {
    let Event::CommandSucceeded(outcome) = outcome else { panic!("{outcome:?}") };
    outcome.result.get(name).cloned().unwrap_or_default()
}

fn code(outcome: &Event) -> String {
    let Event::CommandFailed(outcome) = outcome else { panic!("{outcome:?}") };
    outcome.problem.code.clone()
}

#[test]
fn a_run_takes_stock_the_next_says_nothing_and_reads_no_details() {
    let mut rig = three();
    let (words, outcome) = rig.run(|_| {});
    assert_eq!(words, STOCK);
    assert_eq!((result(&outcome, "objects"), result(&outcome, "observed")), ("3".into(), "3".into()));
    assert_eq!(result(&outcome, "root_hash").len(), 64);
    let (words, again) = rig.run(|_| {});
    assert_eq!(words, ["DiscoveryStarted", "SchemaSnapshotCompleted"]);
    assert_eq!(result(&again, "root_hash"), result(&outcome, "root_hash"));
    assert_eq!(rig.server.with(|script| script.details), 3);
    rig.server.with(|script| script.objects[1].comment = Some("x".into()));
    let (words, outcome) = rig.run(|_| {});
    assert_eq!(words, ["DiscoveryStarted", "observed db.b", "changed b COMMENT_CHANGED", "SchemaSnapshotCompleted"]);
    assert_eq!(result(&outcome, "changed"), "1");
    rig.server.with(|script| script.objects.pop());
    let (words, outcome) = rig.run(|_| {});
    assert_eq!(words, ["DiscoveryStarted", "changed c OBJECT_DROPPED", "dropped c", "SchemaSnapshotCompleted"]);
    assert_eq!(result(&outcome, "dropped"), "1");
}

#[test]
fn a_killed_session_is_replaced_and_only_what_is_left_is_read() {
    let mut rig = three();
    rig.server.with(|script| {
        script.opens = [Fault::Killed].into();
        script.listings = [Fault::Killed].into();
        script.pages = [(0, Fault::Killed), (2, Fault::Killed)].into();
    });
    assert_eq!(rig.run(|_| {}).0, STOCK);
    assert_eq!(rig.server.with(|script| (script.details, script.open_now)), (3, 0));
}

#[test]
fn a_server_that_stays_away_fails_the_run_and_drops_nothing() {
    let mut rig = three();
    rig.run(|_| {});
    rig.server.with(|script| {
        script.objects.truncate(1);
        script.pages = [(0, Fault::Refused)].into();
    });
    let (words, outcome) = rig.run(|_| {});
    assert_eq!(words, ["DiscoveryStarted", "DiscoveryFailed AUTHENTICATION_FAILED"]);
    assert_eq!(code(&outcome), "AUTHENTICATION_FAILED");
    rig.server.with(|script| script.opens = std::iter::repeat_n(Fault::Killed, 5).collect());
    let (words, outcome) = rig.run(|_| {});
    assert_eq!(words, ["DiscoveryStarted", "DiscoveryFailed CONNECTION_REFUSED"]);
    assert_eq!(code(&outcome), "CONNECTION_REFUSED");
    assert_eq!(rig.server.with(|script| script.open_now), 0);
}

#[test]
fn what_cannot_be_read_or_vanished_is_no_drop() {
    let mut rig = three();
    rig.run(|_| {});
    rig.server.with(|script| {
        script.objects[0].comment = Some("x".into());
        script.unreadable = vec!["b".into()];
    });
    let (words, outcome) = rig.run(|_| {});
    assert_eq!(
        words,
        ["DiscoveryStarted", "observed db.a", "changed a COMMENT_CHANGED", "unreadable b", "SchemaSnapshotCompleted"]
    );
    assert_eq!(result(&outcome, "unreadable"), "1");
}

#[test]
fn a_lock_is_waited_out_three_times_and_is_no_drop() {
    let mut rig = three();
    rig.server.with(|script| script.locked = vec![("a".into(), 2), ("c".into(), 3)]);
    let (words, outcome) = rig.run(|_| {});
    let wanted = ["DiscoveryStarted", "observed db.b", "observed db.a", "unreadable c", "SchemaSnapshotCompleted"];
    assert_eq!(words, wanted);
    assert_eq!(result(&outcome, "unreadable"), "1");
    let (words, _) = rig.run(|_| {});
    assert_eq!(words, ["DiscoveryStarted", "observed db.c", "changed c OBJECT_ADDED", "SchemaSnapshotCompleted"]);
}

#[test]
fn several_databases_are_catalogs_read_one_session_at_a_time() {
    let mut rig = Rig::new(vec![table("one", "a", 1), table("two", "a", 1), table("three", "a", 1)]);
    rig.server.with(|script| script.databases = vec!["one".into(), "two".into(), "three".into()]);
    let with = |databases: &str| {
        let databases = databases.to_owned();
        move |work: &mut pursight_schemas::WorkItem| drop(work.spec.options.insert("databases".into(), databases))
    };
    let (words, _) = rig.run(with("one, two,one"));
    assert_eq!(words, ["DiscoveryStarted", "observed one.a", "observed two.a", "SchemaSnapshotCompleted"]);
    assert_eq!(rig.run(with("one,two")).0, ["DiscoveryStarted", "SchemaSnapshotCompleted"]);
    let (words, outcome) = rig.run(with("*"));
    assert_eq!(words, ["DiscoveryStarted", "observed three.a", "changed a OBJECT_ADDED", "SchemaSnapshotCompleted"]);
    assert_eq!(result(&outcome, "objects"), "3");
    assert_eq!(
        rig.run(with("one")).0,
        ["DiscoveryStarted", "SchemaSnapshotCompleted"],
        "another list of databases drops nothing"
    );
    assert_eq!(rig.server.with(|script| (script.open_now, script.most_open)), (0, 1));
    assert_eq!(code(&rig.run(with(",")).1), "DATABASE_NOT_FOUND");
}

#[test]
fn a_dry_run_answers_and_writes_nothing() {
    let mut rig = three();
    rig.run(|_| {});
    rig.server.with(|script| {
        script.objects.remove(0);
        script.objects[0].name = "z".into();
        script.objects.push(table("db", "n", 9));
    });
    let (words, outcome) = rig.run(|work| work.dry_run = true);
    assert_eq!(words, Vec::<String>::new());
    let Event::CommandSucceeded(outcome) = outcome else { panic!("{outcome:?}") };
    assert_eq!(outcome.preview, ["list 3 TABLE", "rename TABLE s.b to s.z", "add TABLE s.n", "drop TABLE s.a"]);
    assert_eq!(outcome.result["objects"], "3");
    rig.server.with(|script| script.opens = [Fault::Refused].into());
    let (words, outcome) = rig.run(|work| work.dry_run = true);
    assert_eq!((words, code(&outcome).as_str()), (vec![], "AUTHENTICATION_FAILED"));
}

#[test]
fn the_commands_scope_comes_before_the_sources() {
    let mut rig = three();
    let scope = |glob: &str| ScopeFilter { include: vec![glob.into()], exclude: vec![] };
    let (words, _) = rig.run(|work| {
        work.spec.scope = scope("s.a");
        work.scope = Some(scope("s.b"));
    });
    assert_eq!(words, ["DiscoveryStarted", "observed db.b", "SchemaSnapshotCompleted"]);
    let (words, _) = rig.run(|work| work.spec.scope = scope("s.a"));
    assert_eq!(words, ["DiscoveryStarted", "observed db.a", "changed a OBJECT_ADDED", "SchemaSnapshotCompleted"]);
}

#[test]
fn a_confirmation_without_a_hold_fails_and_one_of_a_hold_drops() {
    let mut rig = Rig::new((0..12).map(|n| table("db", &format!("t{n:02}"), n + 1)).collect());
    rig.run(|_| {});
    let (words, outcome) = rig.run(|work| work.confirms = Some(Uuid::from_u128(99)));
    assert_eq!((words[1].as_str(), code(&outcome).as_str()), ("DiscoveryFailed UNKNOWN_RUN", "UNKNOWN_RUN"));
    rig.server.with(|script| script.objects.truncate(1));
    let held = rig.ask(|_| {});
    assert_eq!(rig.words(held), ["DiscoveryStarted", "DeletionHeld", "SchemaSnapshotCompleted"]);
    let (words, outcome) = rig.run(|work| work.confirms = Some(held));
    assert_eq!(words.iter().filter(|word| word.starts_with("dropped")).count(), 11);
    assert_eq!((result(&outcome, "dropped"), result(&outcome, "held")), ("11".into(), "0".into()));
}

#[test]
fn a_cancelled_run_ends_with_its_session() {
    let mut rig = three();
    rig.server.with(|script| script.pages = [(1, Fault::Hangs)].into());
    let run_id = rig.ask(|_| {});
    eventually("the first page is out", || (events(&rig.log, Topic::Schema).len() == 2).then_some(()));
    rig.cancellations.add(&Cancel { run_id: Some(run_id), ..Cancel::default() });
    assert_eq!(rig.words(run_id), ["DiscoveryStarted", "observed db.a", "DiscoveryCancelled"]);
    assert!(matches!(rig.outcome(run_id), Event::CommandCancelled(_)));
    eventually("its session is closed", || (rig.server.with(|script| script.open_now) == 0).then_some(()));
}

#[test]
fn a_run_past_its_deadline_fails() {
    let mut rig = three();
    rig.server.with(|script| script.listings = [Fault::Hangs].into());
    let (words, outcome) = rig.run(|work| work.deadline = pursight_schemas::Micros(fake::NOW + 100_000));
    assert_eq!(
        (words, code(&outcome).as_str()),
        (vec!["DiscoveryStarted".into(), "DiscoveryFailed DEADLINE_EXCEEDED".into()], "DEADLINE_EXCEEDED")
    );
}
