//! What follows every change of a source: the read model catches up, and the row is shown; what was sealed for a refused
//! change is taken away again.

use std::time::Duration;

use serde_json::Value as Json;

use super::password::Credential;
use super::show;
use crate::ask::{Answer, AskFlags};
use crate::context::Context;
use crate::error::CliError;
use crate::outcome::Ended;
use crate::report::{Report, note};

/// The outcome, with the source's row once the read model has it. A read model that is away spoils nothing: what was
/// decided is decided.
pub async fn shown(context: &Context, ended: &Ended) -> Report {
    let mut report = ended.report();
    report.document["source"] = Json::Null;
    let (Some(source_id), false) = (ended.source_id, report.failed) else { return report };
    let Some(version) = ended.version else { return report };
    match context.source_at(source_id, version).await {
        Ok(Some(row)) => {
            report.text.push_str(&show::text(&row));
            report.document["source"] = row;
        }
        Ok(None) => note("the read model does not have it yet; look again with: pursight source show"),
        Err(error) => note(&format!("the row cannot be shown: {error}; {}", error.remedy())),
    }
    report
}

/// Takes a password away that was sealed for a command which was then refused.
pub async fn take_back(context: &Context, credential: Option<&Credential>, answer: &Result<Answer, CliError>) {
    let refused = match answer {
        Ok(Answer::Ended(ended)) => ended.state != "SUCCEEDED",
        Ok(Answer::Sent(_)) => false,
        // Not even sent. After any other error the command may still be decided, and will then need its password.
        Err(CliError::Usage { .. }) => true,
        Err(_) => false,
    };
    if let Some(id) = credential.and_then(|credential| credential.made.as_deref()).filter(|_| refused) {
        context.unseal(id).await;
    }
}

/// How long to wait.
pub fn wait(flags: &AskFlags, usual: Duration) -> Duration {
    flags.timeout.map_or(usual, Duration::from_secs)
}
