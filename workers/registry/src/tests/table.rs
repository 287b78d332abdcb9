//! One row per command, and one per code of a refusal.

use pursight_schemas::ids::{follow_up_run_id, source_id};
use pursight_schemas::{Event, Strategy, Topic, Violation, WorkKind, json};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{NOW, World, id, spec};
use crate::decide::{Answer, Decision, Success, denied, permission, work_topic};
use crate::validate::code;

fn success(decision: &Decision) -> &Success {
    let Answer::Succeeded(success) = &decision.answer else { panic!("not a success: {:?}", decision.answer) };
    success
}

/// A decision in short: event names with versions, kinds of work, cancels, answer.
fn short(decision: &Decision) -> String {
    let mut parts: Vec<String> = Vec::new();
    for event in &decision.events {
        parts.push(format!("{}@{}", json::short(event.full_name()), event.meta().sequence));
    }
    parts.extend(decision.work.iter().map(|work| format!("{} on {}", work.kind, work_topic(work).short())));
    parts.extend(decision.cancels.iter().map(|_| "Cancel".to_owned()));
    parts.push(match &decision.answer {
        Answer::Accepted => "accepted".to_owned(),
        Answer::Succeeded(success) => format!("succeeded {}", success.version.map_or("-".into(), |at| at.to_string())),
        Answer::Failed(problem) => format!("failed {}", problem.code),
    });
    parts.join(", ")
}

fn refused(violations: &[Violation]) -> Vec<String> {
    violations.iter().map(|violation| format!("{} {}", violation.code, violation.path)).collect()
}

/// A source `1` named orders, paused source `2`, softly deleted source `3`, purged source `4`.
fn world() -> World {
    let mut world = World::with_source(1, "orders");
    for (number, name) in [(2, "paused"), (3, "deleted"), (4, "purged")] {
        world.must("CreateDataSource", json!({"source_id": id(number), "spec": spec(name)}));
    }
    world.must("PauseDataSource", json!({"source_id": id(2)}));
    world.must("DeleteDataSource", json!({"source_id": id(3), "mode": "SOFT"}));
    world.must("DeleteDataSource", json!({"source_id": id(4), "mode": "PURGE"}));
    world
}

#[test]
fn every_command_leads_to_its_events() {
    for (name, body, expected) in [
        ("CreateDataSource", json!({"spec": spec("new")}), "DataSourceCreated@1, succeeded 1"),
        (
            "CreateDataSource",
            json!({"spec": spec("new"), "afterwards": "TEST"}),
            "DataSourceCreated@1, TEST on work.connection, succeeded 1",
        ),
        (
            "CreateDataSource",
            json!({"spec": spec("new"), "afterwards": "DISCOVER"}),
            "DataSourceCreated@1, DISCOVER on work.discovery, succeeded 1",
        ),
        (
            "UpdateDataSource",
            json!({"source_id": id(1), "patch": {"owner": "ada"}}),
            "DataSourceUpdated@2, succeeded 2",
        ),
        (
            "UpdateDataSource",
            json!({"source_id": id(1), "patch": {"name": "ORDERS"}}),
            "DataSourceUpdated@2, succeeded 2",
        ),
        ("UpdateDataSource", json!({"source_id": id(1), "patch": {"name": "orders"}}), "succeeded 1"),
        ("UpdateDataSource", json!({"source_id": id(2), "clear": ["owner"]}), "succeeded 2"),
        ("DeleteDataSource", json!({"source_id": id(1), "mode": "SOFT"}), "DataSourceDeleted@2, Cancel, succeeded 2"),
        ("DeleteDataSource", json!({"source_id": id(3), "mode": "PURGE"}), "DataSourceDeleted@3, Cancel, succeeded 3"),
        ("RestoreDataSource", json!({"source_id": id(3)}), "DataSourceRestored@3, succeeded 3"),
        ("PauseDataSource", json!({"source_id": id(1)}), "DataSourcePaused@2, succeeded 2"),
        ("PauseDataSource", json!({"source_id": id(2)}), "succeeded 2"),
        ("ResumeDataSource", json!({"source_id": id(2)}), "DataSourceResumed@3, succeeded 3"),
        ("ResumeDataSource", json!({"source_id": id(1)}), "succeeded 1"),
        (
            "BulkUpdateDataSources",
            json!({"source_ids": [id(2), id(1)], "patch": {"owner": "ada"}}),
            "DataSourceUpdated@3, DataSourceUpdated@2, succeeded -",
        ),
        (
            "BulkUpdateDataSources",
            json!({"filter": {"types": ["POSTGRESQL"]}, "patch": {"owner": "ada"}}),
            "DataSourceUpdated@2, DataSourceUpdated@3, succeeded -",
        ),
        ("BulkUpdateDataSources", json!({"filter": {"tags": ["no"]}, "patch": {"owner": "ada"}}), "succeeded -"),
        ("SetFavorite", json!({"source_id": id(1), "favorite": true}), "FavoriteSet@0, succeeded 1"),
        ("TestConnection", json!({"source_id": id(1)}), "TEST on work.connection, accepted"),
        ("TestConnection", json!({"draft": spec("draft")}), "TEST on work.connection, accepted"),
        ("DiscoverSchema", json!({"source_id": id(1)}), "DISCOVER on work.discovery, accepted"),
        ("CollectStatistics", json!({"source_id": id(1)}), "STATISTICS on work.statistics, accepted"),
    ] {
        let mut world = world();
        match world.decide(name, body.clone()) {
            Ok(decision) => assert_eq!(short(&decision), expected, "{name} {body}"),
            Err(violations) => panic!("{name} {body} is refused: {:?}", refused(&violations)),
        }
    }
}

#[test]
fn every_refusal_has_its_code_and_place() {
    let mysql = |name: &str| {
        let mut spec = spec(name);
        spec["source_type"] = json!("MYSQL");
        spec
    };
    let with = |member: &str, value: Value| {
        let mut spec = spec("new");
        spec[member] = value;
        json!({"spec": spec})
    };
    let long_deadline = json!({"deadline": "2027-03-01T09:00:00Z"});
    let rows: Vec<(&str, Value, &str)> = vec![
        ("CreateDataSource", json!({"spec": spec(" OrDeRs ")}), "NAME_TAKEN /spec/name"),
        ("CreateDataSource", json!({"spec": spec("PAUSED")}), "NAME_TAKEN /spec/name"),
        ("UpdateDataSource", json!({"source_id": id(1), "patch": {"name": "paused"}}), "NAME_TAKEN /patch/name"),
        ("UpdateDataSource", json!({"source_id": id(9), "patch": {"owner": "a"}}), "UNKNOWN_SOURCE /source_id"),
        ("TestConnection", json!({"source_id": id(9)}), "UNKNOWN_SOURCE /source_id"),
        (
            "BulkUpdateDataSources",
            json!({"source_ids": [id(1), id(9)], "patch": {"owner": "a"}}),
            "UNKNOWN_SOURCE /source_ids/1",
        ),
        (
            "PauseDataSource",
            json!({"source_id": id(1), "meta": {"expected_version": 7}}),
            "VERSION_CONFLICT /meta/expected_version",
        ),
        (
            "CreateDataSource",
            json!({"spec": spec("new"), "meta": {"expected_version": 1}}),
            "VERSION_CONFLICT /meta/expected_version",
        ),
        ("CreateDataSource", json!({"spec": spec("")}), "INVALID_FIELD /spec/name"),
        ("CreateDataSource", json!({"source_id": id(1), "spec": spec("new")}), "INVALID_FIELD /source_id"),
        ("DeleteDataSource", json!({"source_id": id(1), "mode": "UNKNOWN"}), "INVALID_FIELD /mode"),
        ("DeleteDataSource", json!({"source_id": Uuid::nil(), "mode": "SOFT"}), "INVALID_FIELD /source_id"),
        ("PauseDataSource", json!({"source_id": id(1), "meta": long_deadline}), "INVALID_FIELD /meta/deadline"),
        ("UpdateDataSource", json!({"source_id": id(1)}), "INVALID_FIELD /patch"),
        ("UpdateDataSource", json!({"source_id": id(1), "clear": ["hosts"]}), "INVALID_FIELD /clear/0"),
        ("TestConnection", json!({}), "INVALID_FIELD /source_id"),
        ("TestConnection", json!({"source_id": id(1), "draft": spec("x")}), "INVALID_FIELD /draft"),
        ("DiscoverSchema", json!({"source_id": id(1), "scope": {"exclude": ["x"]}}), "INVALID_FIELD /scope/exclude/0"),
        ("BulkUpdateDataSources", json!({"patch": {"owner": "a"}}), "INVALID_FIELD /source_ids"),
        (
            "BulkUpdateDataSources",
            json!({"source_ids": [id(1), id(1)], "patch": {"owner": "a"}}),
            "INVALID_FIELD /source_ids/1",
        ),
        ("BulkUpdateDataSources", json!({"filter": {"tags": [""]}, "patch": {"owner": "a"}}), "INVALID_FIELD /filter"),
        ("BulkUpdateDataSources", json!({"source_ids": [id(1)], "patch": {"name": "x"}}), "INVALID_FIELD /patch/name"),
        (
            "BulkUpdateDataSources",
            json!({"source_ids": [id(1)], "patch": {"owner": "a"}, "meta": {"expected_version": 1}}),
            "INVALID_FIELD /meta/expected_version",
        ),
        ("UpdateDataSource", json!({"source_id": id(1), "clear": ["colour"]}), "UNKNOWN_FIELD /clear/0"),
        ("TestConnection", json!({"draft": mysql("x")}), "UNSUPPORTED_TYPE /draft/source_type"),
        ("CreateDataSource", json!({"spec": mysql("x"), "afterwards": "TEST"}), "UNSUPPORTED_TYPE /spec/source_type"),
        ("CreateDataSource", with("options", json!({"sslmode": "allow"})), "UNKNOWN_OPTION /spec/options/sslmode"),
        (
            "UpdateDataSource",
            json!({"source_id": id(1), "patch": {"options": {"service": "x"}}}),
            "UNKNOWN_OPTION /patch/options/service",
        ),
        (
            "CreateDataSource",
            with("properties", json!({"password": "x"})),
            "SECRET_IN_PROPERTIES /spec/properties/password",
        ),
        ("CreateDataSource", with("credential", json!({"uri": "hunter2"})), "PLAINTEXT_SECRET /spec/credential/uri"),
        (
            "UpdateDataSource",
            json!({"source_id": id(1), "patch": {"location": "CLOUD", "tls": {"mode": "REQUIRE"}}}),
            "TLS_DOWNGRADE /patch/tls/mode",
        ),
        ("TestConnection", json!({"source_id": id(2)}), "SOURCE_PAUSED /source_id"),
        ("DiscoverSchema", json!({"source_id": id(2)}), "SOURCE_PAUSED /source_id"),
        ("CollectStatistics", json!({"source_id": id(2)}), "SOURCE_PAUSED /source_id"),
        ("UpdateDataSource", json!({"source_id": id(3), "patch": {"owner": "a"}}), "SOURCE_DELETED /source_id"),
        ("DeleteDataSource", json!({"source_id": id(3), "mode": "SOFT"}), "SOURCE_DELETED /source_id"),
        ("DeleteDataSource", json!({"source_id": id(4), "mode": "PURGE"}), "SOURCE_DELETED /source_id"),
        ("RestoreDataSource", json!({"source_id": id(4)}), "SOURCE_DELETED /source_id"),
        ("SetFavorite", json!({"source_id": id(3), "favorite": true}), "SOURCE_DELETED /source_id"),
        ("RestoreDataSource", json!({"source_id": id(1)}), "SOURCE_NOT_DELETED /source_id"),
        ("CancelRun", json!({"run_id": id(99)}), "UNKNOWN_RUN /run_id"),
        ("ConfirmDeletions", json!({"source_id": id(1), "run_id": id(99)}), "UNKNOWN_RUN /run_id"),
    ];
    // These need a world of their own: see the tests below.
    let elsewhere = [code::PERMISSION_DENIED, code::RUN_ENDED, code::QUOTA_EXCEEDED];
    for code in code::ALL {
        let here = rows.iter().any(|(_, _, expected)| expected.starts_with(code));
        assert!(here || elsewhere.contains(&code), "{code} has no row");
    }
    for (name, body, expected) in rows {
        match world().decide(name, body.clone()) {
            Ok(decision) => panic!("{name} {body} is allowed: {}", short(&decision)),
            Err(violations) => assert_eq!(refused(&violations), [expected], "{name} {body}"),
        }
    }
}

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
