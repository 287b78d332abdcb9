//! One row per command, and one per code of a refusal.

use pursight_schemas::{Violation, json};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{World, id, spec};
use crate::decide::{Answer, Decision, Success, work_topic};
use crate::validate::code;

pub fn success(decision: &Decision) -> &Success {
    let Answer::Succeeded(success) = &decision.answer else { panic!("not a success: {:?}", decision.answer) };
    success
}

/// A decision in short: event names with versions, kinds of work, cancels, answer.
pub fn short(decision: &Decision) -> String {
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

pub fn refused(violations: &[Violation]) -> Vec<String> {
    violations.iter().map(|violation| format!("{} {}", violation.code, violation.path)).collect()
}

/// A source `1` named orders, paused source `2`, softly deleted source `3`, purged source `4`.
pub fn world() -> World {
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
