//! Secrets that a command holds in clear. The registry refuses such a command, but by then it lies on the log for as long
//! as commands are kept: whoever publishes for people asks here first.

use pursight_schemas::{Command, CommandMeta, DataSourcePatch, DataSourceSpec, Violation};

use super::{Violations, code, patch, secret, spec};

/// Everything in it that is, or looks like, a secret in clear.
pub fn exposed(command: &Command) -> Vec<Violation> {
    let meta = command.meta();
    let mut found = Violations::new();
    match command {
        Command::CreateDataSource(create) => spec::check(&mut found, "/spec", &meta.tenant_id, &create.spec),
        Command::UpdateDataSource(update) => patched(&mut found, meta, &update.patch),
        Command::BulkUpdateDataSources(update) => patched(&mut found, meta, &update.patch),
        Command::TestConnection(test) => {
            if let Some(draft) = &test.draft {
                spec::check(&mut found, "/draft", &meta.tenant_id, draft);
            }
        }
        _ => {}
    }
    actor(&mut found, meta);
    let mut found = found.into_list();
    found.retain(|violation| [code::PLAINTEXT_SECRET, code::SECRET_IN_PROPERTIES].contains(&violation.code.as_str()));
    found
}

/// Only what the patch sets can be exposed by it, so the rest may be anything.
fn patched(found: &mut Violations, meta: &CommandMeta, change: &DataSourcePatch) {
    spec::check(found, "/patch", &meta.tenant_id, &patch::applied(&DataSourceSpec::default(), change, &[]));
}

fn actor(found: &mut Violations, meta: &CommandMeta) {
    let actor = &meta.actor;
    for (field, value) in [("on_behalf_of", &actor.on_behalf_of), ("reason", &actor.reason)] {
        if let Some(value) = value {
            secret::in_text(found, &format!("/meta/actor/{field}"), value);
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use pursight_schemas::json;
    use serde_json::{Value as Json, json};

    use super::*;

    fn found(command: Json) -> Vec<String> {
        let mut command = command;
        let meta = json!({"command_id": uuid::Uuid::from_u128(1), "tenant_id": "acme", "actor": {"principal": "ada", "type": "USER"}});
        for (name, value) in meta.as_object().unwrap() {
            if command["meta"][name].is_null() {
                command["meta"][name] = value.clone();
            }
        }
        let command = Command::decode(&json::read(&command).unwrap().bytes).unwrap();
        exposed(&command).into_iter().map(|one| format!("{} {}", one.code, one.path)).collect()
    }

    #[test]
    fn every_command_that_carries_a_configuration_is_looked_through() {
        let id = uuid::Uuid::from_u128(2);
        let credential = json!({"name": "orders", "credential": {"uri": "hunter2"}});
        for (command, expected) in [
            (json!({"type": "CreateDataSource", "spec": credential}), "PLAINTEXT_SECRET /spec/credential/uri"),
            (json!({"type": "TestConnection", "draft": credential}), "PLAINTEXT_SECRET /draft/credential/uri"),
            (
                json!({"type": "UpdateDataSource", "source_id": id, "patch": {"tls": {"ca": {"uri": "hunter2"}}}}),
                "PLAINTEXT_SECRET /patch/tls/ca/uri",
            ),
            (
                json!({"type": "BulkUpdateDataSources", "source_ids": [id], "patch": {"properties": {"password": "x"}}}),
                "SECRET_IN_PROPERTIES /patch/properties/password",
            ),
            (
                json!({"type": "PauseDataSource", "source_id": id,
                    "meta": {"actor": {"principal": "ada", "type": "USER", "reason": "its password: hunter2"}}}),
                "SECRET_IN_PROPERTIES /meta/actor/reason",
            ),
        ] {
            assert_eq!(found(command.clone()), [expected], "{command}");
        }
    }

    #[test]
    fn other_faults_are_the_registrys() {
        let sealed = json!({"credential": {"uri": "sealed://acme/orders"}, "name": ""});
        assert_eq!(found(json!({"type": "CreateDataSource", "spec": sealed})), [""; 0]);
    }
}
