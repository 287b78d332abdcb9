//! Rules that need more than one step, or more than a code to be seen.

use pursight_schemas::ids::{follow_up_run_id, source_id};
use pursight_schemas::{Event, Strategy, Topic, WorkKind};
use serde_json::{Value, json};
use uuid::Uuid;

use super::table::{refused, short, success, world};
use super::{NOW, World, id, spec};
use crate::decide::{denied, permission, work_topic};
use crate::validate::code;

#[test]
fn every_fault_is_named_not_the_first() {
    let faulty = json!({
        "name": "ORDERS", "source_type": "POSTGRESQL", "location": "CLOUD", "hosts": [{"host": "db", "port": 99_999}],
        "credential": {"uri": "hunter2"}, "tls": {"mode": "DISABLE"}, "options": {"sslmode": "x"}, "tags": ["pwd=x"],
    });
    let violations = world().decide("CreateDataSource", json!({"spec": faulty})).unwrap_err();
    let mut found = refused(&violations);
    found.sort_unstable();
    assert_eq!(
        found,
        [
            "INVALID_FIELD /spec/hosts/0/port",
            "NAME_TAKEN /spec/name",
            "PLAINTEXT_SECRET /spec/credential/uri",
            "SECRET_IN_PROPERTIES /spec/tags/0",
            "TLS_DOWNGRADE /spec/tls/mode",
            "UNKNOWN_OPTION /spec/options/sslmode",
        ]
    );
    assert!(!format!("{violations:?}").contains("hunter2"), "a secret is never repeated");
}

#[test]
fn a_publisher_without_the_right_learns_nothing_else() {
    let rejection = denied(pursight_attestation::Permission::ScanDelete).0.into_list();
    assert_eq!(refused(&rejection), [format!("{} ", code::PERMISSION_DENIED)]);
    let asked = |name: &str, body: Value| {
        let bytes = super::bytes(id(5), name, &body);
        permission(&pursight_schemas::Command::decode(&bytes).unwrap()).as_str()
    };
    for (name, body, expected) in [
        ("CreateDataSource", json!({"spec": spec("x")}), "scan.create"),
        ("DeleteDataSource", json!({"source_id": id(1), "mode": "SOFT"}), "scan.delete"),
        ("SetFavorite", json!({"source_id": id(1), "favorite": true}), "scan.view"),
        ("TestConnection", json!({"draft": spec("x")}), "scan.create"),
        ("TestConnection", json!({"source_id": id(1)}), "scan.edit"),
        ("CancelRun", json!({"run_id": id(1)}), "scan.edit"),
    ] {
        assert_eq!(asked(name, body), expected, "{name}");
    }
}

#[test]
fn a_source_without_an_id_gets_one_of_its_command() {
    let mut world = World::new();
    let decision = world.must("CreateDataSource", json!({"spec": spec("Orders  "), "afterwards": "DISCOVER"}));
    let command = id(1_001);
    let success = success(&decision);
    assert_eq!(success.source_id, Some(source_id(command)));
    let run = follow_up_run_id(command, "discover");
    assert_eq!(success.result["run_id"], run.to_string());
    let [work] = decision.work.as_slice() else { panic!() };
    assert_eq!((work.run_id, work.answers_command, work.version), (run, false, 1));
    assert_eq!(work.meta.source_id, Some(source_id(command)));
    assert_eq!(work.deadline, NOW.plus_seconds(6 * 3_600));
    let [Event::DataSourceCreated(created)] = decision.events.as_slice() else { panic!() };
    assert_eq!((created.spec.name.as_str(), created.name_key.as_str()), ("Orders", "orders"));
}

#[test]
fn names_are_freed_by_deletion_and_must_be_claimed_again() {
    let mut world = World::with_source(1, "orders");
    world.must("DeleteDataSource", json!({"source_id": id(1), "mode": "SOFT"}));
    world.must("CreateDataSource", json!({"source_id": id(2), "spec": spec("Orders")}));
    let violations = world.decide("RestoreDataSource", json!({"source_id": id(1)})).unwrap_err();
    assert_eq!(refused(&violations), ["NAME_TAKEN /source_id"]);
    world.must("UpdateDataSource", json!({"source_id": id(2), "patch": {"name": "other"}}));
    world.must("RestoreDataSource", json!({"source_id": id(1)}));
}

#[test]
fn a_tenant_has_as_many_sources_as_it_may_have() {
    let mut world = World::new();
    world.rules.live_sources = 2;
    for number in 1..=2 {
        world.must("CreateDataSource", json!({"source_id": id(number), "spec": spec(&format!("s{number}"))}));
    }
    let violations = world.decide("CreateDataSource", json!({"spec": spec("s3")})).unwrap_err();
    assert_eq!(refused(&violations), [format!("{} ", code::QUOTA_EXCEEDED)]);
    world.must("DeleteDataSource", json!({"source_id": id(1), "mode": "SOFT"}));
    world.must("CreateDataSource", json!({"spec": spec("s3")}));
    let violations = world.decide("RestoreDataSource", json!({"source_id": id(1)})).unwrap_err();
    assert_eq!(refused(&violations), [format!("{} ", code::QUOTA_EXCEEDED)]);
}

#[test]
fn a_purge_hands_sealed_secrets_to_the_connection_worker() {
    let mut world = World::new();
    let mut sealed = spec("orders");
    sealed["credential"] = json!({"uri": "sealed://acme/orders"});
    world.must("CreateDataSource", json!({"source_id": id(1), "spec": sealed}));
    let decision = world.must("DeleteDataSource", json!({"source_id": id(1), "mode": "PURGE"}));
    assert_eq!(short(&decision), "DataSourceDeleted@2, REVOKE_SECRETS on work.connection, Cancel, succeeded 2");
    assert_eq!(decision.cancels[0].source_id, Some(id(1)));
    assert!(!decision.work[0].answers_command);
}

#[test]
fn runs_are_cancelled_until_they_end() {
    let mut world = World::with_source(1, "orders");
    world.must("CollectStatistics", json!({"source_id": id(1)}));
    let run = id(1_002);
    let decision = world.must("CancelRun", json!({"run_id": run}));
    assert_eq!((decision.cancels[0].run_id, decision.cancels[0].source_id), (Some(run), None));
    world.model.end(super::TENANT, run, "io.pursight.command.CollectStatistics");
    let violations = world.decide("CancelRun", json!({"run_id": run})).unwrap_err();
    assert_eq!(refused(&violations), ["RUN_ENDED /run_id"]);
    // A command that asked for no run has none of its id.
    let violations = world.decide("CancelRun", json!({"run_id": id(1_001)})).unwrap_err();
    assert_eq!(refused(&violations), ["UNKNOWN_RUN /run_id"]);
}

#[test]
fn a_follow_up_run_can_be_cancelled() {
    let mut world = World::new();
    world.must("CreateDataSource", json!({"spec": spec("orders"), "afterwards": "TEST"}));
    let run = follow_up_run_id(id(1_001), "test");
    assert_eq!(world.must("CancelRun", json!({"run_id": run})).cancels[0].run_id, Some(run));
}

#[test]
fn confirmation_names_the_discovery_that_held() {
    let mut world = World::with_source(1, "orders");
    world.must("DiscoverSchema", json!({"source_id": id(1), "strategy": "AGGRESSIVE", "full": true}));
    let decision = world.must("ConfirmDeletions", json!({"source_id": id(1), "run_id": id(1_002)}));
    let [work] = decision.work.as_slice() else { panic!() };
    assert_eq!((work.kind, work.confirms), (WorkKind::ConfirmDeletions, Some(id(1_002))));
    assert_eq!(work_topic(work), Topic::WorkDiscovery);
    world.must("CollectStatistics", json!({"source_id": id(1)}));
    let violations = world.decide("ConfirmDeletions", json!({"source_id": id(1), "run_id": id(1_004)})).unwrap_err();
    assert_eq!(refused(&violations), ["UNKNOWN_RUN /run_id"]);
}

#[test]
fn work_carries_what_was_asked_for() {
    let mut world = World::with_source(1, "orders");
    let scope = json!({"include": ["public.*"]});
    let body = json!({"source_id": id(1), "full": true, "scope": scope, "meta": {"deadline": "2026-03-02T09:00:00Z"}});
    let decision = world.must("DiscoverSchema", body);
    let [work] = decision.work.as_slice() else { panic!() };
    assert_eq!((work.strategy, work.full, work.dry_run, work.answers_command), (Strategy::Balanced, true, false, true));
    assert_eq!(work.scope.as_ref().map(|scope| scope.include.len()), Some(1));
    assert_eq!(work.deadline, NOW.plus_seconds(86_400), "the publisher's deadline wins, also upwards");
    assert_eq!(work.command_type, "io.pursight.command.DiscoverSchema");
    let decision = world.must("CollectStatistics", json!({"source_id": id(1), "exact": true}));
    assert!(decision.work[0].exact);
    assert_eq!(decision.work[0].deadline, NOW.plus_seconds(900));
    let decision = world.must("TestConnection", json!({"draft": spec("draft")}));
    assert_eq!((decision.work[0].meta.source_id, decision.work[0].deadline), (None, NOW.plus_seconds(30)));
}

#[test]
fn a_dry_run_says_what_would_happen_and_does_nothing() {
    let dry = |mut body: Value| {
        body["meta"] = json!({"dry_run": true});
        body
    };
    for (name, body, lines) in [
        ("CreateDataSource", json!({"spec": spec("new"), "afterwards": "TEST"}), 2),
        ("DeleteDataSource", json!({"source_id": id(1), "mode": "SOFT"}), 2),
        ("PauseDataSource", json!({"source_id": id(2)}), 1),
        ("SetFavorite", json!({"source_id": id(1), "favorite": true}), 1),
        ("TestConnection", json!({"source_id": id(1)}), 1),
        ("CollectStatistics", json!({"source_id": id(1)}), 1),
    ] {
        let decision = world().must(name, dry(body));
        assert!(decision.events.is_empty() && decision.work.is_empty() && decision.cancels.is_empty(), "{name}");
        assert_eq!(success(&decision).preview.len(), lines, "{name}: {:?}", success(&decision).preview);
        assert_eq!(success(&decision).version, None, "{name}");
    }
    let decision = world().must("DiscoverSchema", dry(json!({"source_id": id(1)})));
    assert_eq!(short(&decision), "DISCOVER on work.discovery, accepted");
    assert!(decision.work[0].dry_run, "listing and counting is the runner's work");
    assert!(world().decide("CreateDataSource", dry(json!({"spec": spec("orders")}))).is_err(), "the decision is whole");
}

#[test]
fn a_command_that_came_too_late_fails() {
    let late = json!({"source_id": id(1), "meta": {"deadline": "2026-03-01T08:59:59Z"}});
    let decision = world().must("PauseDataSource", late);
    assert_eq!(short(&decision), "failed DEADLINE_EXCEEDED");
}

#[test]
fn one_bad_source_of_many_stops_all_of_them() {
    let mut world = world();
    let body = json!({"source_ids": [id(1), id(3), id(9)], "patch": {"tags": ["pwd=x"]}});
    let violations = world.decide("BulkUpdateDataSources", body).unwrap_err();
    assert_eq!(
        refused(&violations),
        ["SOURCE_DELETED /source_ids/1", "UNKNOWN_SOURCE /source_ids/2", "SECRET_IN_PROPERTIES /patch/tags/0"]
    );
    let ids: Vec<Uuid> = (0..501).map(|number| id(10_000 + number)).collect();
    let violations = world.decide("BulkUpdateDataSources", json!({"source_ids": ids, "patch": {"owner": "a"}}));
    assert_eq!(refused(&violations.unwrap_err()), ["INVALID_FIELD /source_ids"]);
}

#[test]
fn unencrypted_connections_do_not_go_without_a_word() {
    let mut world = World::new();
    for (host, warned) in [("db.acme.example", true), ("127.0.0.1", false), ("localhost", false), ("::1", false)] {
        let mut open = spec(host);
        open["hosts"] = json!([{"host": host}]);
        open["tls"] = json!({"mode": "DISABLE"});
        let decision = world.must("CreateDataSource", json!({"spec": open}));
        assert_eq!(success(&decision).result.contains_key("warning"), warned, "{host}");
    }
}
