//! Settings and key files: what can be seen without asking anybody.

use pursight_attestation::{Presented, TrustedKeys};
use pursight_connectors::EgressPolicy;
use serde_json::{Map, json};

use super::Finding;
use crate::ask::seal;
use crate::commands::explain_key;
use crate::context::{Context, setting_error};
use crate::error::{CliError, chain};

pub fn look(context: &Context) -> Vec<Finding> {
    vec![password(context), egress(context), secret_keys(context), signing_key(context), trusted_keys(context)]
}

fn password(context: &Context) -> Finding {
    match context.settings().check_worker() {
        Ok(()) => Finding::ok("PGPASSWORD", "not set"),
        Err(error) => Finding::fail("PGPASSWORD", setting_error(&error).to_string(), "unset PGPASSWORD"),
    }
}

fn egress(context: &Context) -> Finding {
    let allow = context.settings().egress_allow();
    match EgressPolicy::parse(allow) {
        Err(error) => Finding::fail("egress policy", chain(&error), "correct PURSIGHT_EGRESS_ALLOW"),
        Ok(_) if allow.is_empty() => Finding::warn(
            "egress policy",
            "only public addresses may be reached",
            "list the networks of customers' databases in PURSIGHT_EGRESS_ALLOW, such as 10.0.0.0/8",
        ),
        Ok(_) => Finding::ok("egress policy", format!("public addresses and {allow}")),
    }
}

fn secret_keys(context: &Context) -> Finding {
    match context.key_ring() {
        Ok(_) => Finding::ok("secret keys", path(context.settings().secret_keys_file().ok())),
        Err(error) => named("secret keys", "PURSIGHT_SECRET_KEYS_FILE", &error),
    }
}

/// A fault with the setting in its remedy.
fn named(what: &str, setting: &str, error: &CliError) -> Finding {
    let mut finding = Finding::of_error(what, error);
    if !finding.remedy.contains(setting) && !finding.found.contains(setting) {
        finding.remedy = format!("{} ({setting})", finding.remedy);
    }
    finding
}

fn signing_key(context: &Context) -> Finding {
    match context.signing_key() {
        Ok(key) => Finding::ok("signing key", key.key_id()),
        // Only the command line signs; a host of workers needs no such key.
        Err(CliError::Usage { what, remedy }) => Finding::warn("signing key", what, remedy),
        Err(error) => named("signing key", "PURSIGHT_SIGNING_KEY", &error),
    }
}

/// Signs a command that nobody sends, and verifies it as the registry would.
fn trusted_keys(context: &Context) -> Finding {
    const WHAT: &str = "trusted keys";
    let keys = match context.trusted_keys_path().and_then(|path| TrustedKeys::load(path).map_err(explain_key)) {
        Ok(keys) => keys,
        Err(error) => return named(WHAT, "PURSIGHT_TRUSTED_KEYS", &error),
    };
    let probe = || -> Result<_, CliError> {
        let id = pursight_service::clock::new_id();
        let mut command = Map::new();
        command.insert("type".into(), json!("CancelRun"));
        let actor = json!({"principal": context.principal()?, "type": "USER"});
        command.insert("meta".into(), json!({"command_id": id, "tenant_id": context.tenant()?, "actor": actor}));
        command.insert("run_id".into(), json!(id));
        seal(context, &command.into())
    };
    let Ok(envelope) = probe() else { return Finding::ok(WHAT, path(context.trusted_keys_path().ok().as_ref())) };
    let header = envelope.headers.iter().find(|(name, _)| *name == pursight_attestation::HEADER);
    let at = pursight_schemas::Micros(pursight_service::clock::now_micros());
    let header = header.map(|(_, value)| value.as_str());
    match keys.verify(&Presented { header, value: &envelope.value, record_key: envelope.tenant.as_bytes(), at }) {
        Ok(verified) => {
            let granted: Vec<&str> = verified.permissions.iter().map(|one| one.as_str()).collect();
            Finding::ok(
                WHAT,
                format!(
                    "commands of {} for {} are believed ({})",
                    verified.issuer,
                    verified.tenant,
                    granted.join(", ")
                ),
            )
        }
        Err(error) => Finding::fail(
            WHAT,
            format!("commands signed here would be refused: {error}"),
            "PURSIGHT_ISSUER, PURSIGHT_TENANT and PURSIGHT_SIGNING_KEY must fit an entry of PURSIGHT_TRUSTED_KEYS: pursight keys create",
        ),
    }
}

fn path(path: Option<&std::path::PathBuf>) -> String {
    path.map(|path| path.display().to_string()).unwrap_or_default()
}
