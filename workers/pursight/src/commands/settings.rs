//! `pursight settings`: every setting, from the one table.

use clap::Args;
use pursight_service::settings::SETTINGS;
use serde_json::json;

use crate::context::Context;
use crate::error::CliError;
use crate::report::{Report, table};

/// Each setting: name, value (secrets redacted), default, meaning, and when to change it
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  pursight settings\n  pursight settings --json")]
pub struct Settings {}

/// Runs it.
pub fn run(_: &Settings, context: &Context) -> Result<Report, CliError> {
    debug_assert_eq!(context.settings().lines().len(), SETTINGS.len());
    let mut documents = Vec::new();
    let mut rows = Vec::new();
    for line in context.settings().lines() {
        let setting = line.setting;
        documents.push(json!({
            "name": setting.name, "value": line.value, "default": setting.default,
            "meaning": setting.meaning, "change_when": setting.change_when,
        }));
        rows.push([
            setting.name.to_owned(),
            line.value.clone().unwrap_or_default(),
            setting.default.unwrap_or_default().to_owned(),
            format!("{}. Change it when: {}", setting.meaning, setting.change_when),
        ]);
    }
    Ok(Report::new(json!(documents), table(["name", "value", "default", "meaning"], rows)))
}
