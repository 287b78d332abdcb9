//! Dry runs: the whole decision was made; here it becomes words, and nothing else is left of it.

use pursight_schemas::{Event, json};

use super::{Answer, Decision, Success};

/// What a decision would have done. A dry-run discovery is still given out: listing and counting is its work.
pub(super) fn of(decision: Decision) -> Decision {
    let Decision { events, work, cancels, answer } = decision;
    if let [item] = work.as_slice()
        && item.dry_run
    {
        return Decision { events, work, cancels, answer };
    }
    let mut preview: Vec<String> = events.iter().map(event).collect();
    for cancel in &cancels {
        preview.push(match (cancel.run_id, cancel.source_id) {
            (Some(run), _) => format!("run {run} would be cancelled"),
            (None, Some(source)) => format!("runs of source {source} would be cancelled"),
            (None, None) => "nothing would be cancelled".to_owned(),
        });
    }
    for item in &work {
        preview.push(format!("a run of kind {} would start, until {}", item.kind, item.deadline.rfc3339()));
    }
    let success = match answer {
        Answer::Succeeded(success) => {
            preview.extend(success.result.get("note").map(|note| format!("nothing would happen: {note}")));
            success
        }
        Answer::Accepted | Answer::Failed(_) => {
            let source_id = work.iter().find_map(|item| item.meta.source_id);
            Success { source_id, ..Success::default() }
        }
    };
    // The version and the results would be those of something that did not happen.
    Decision::done(Success { source_id: success.source_id, preview, ..Success::default() })
}

fn event(event: &Event) -> String {
    let meta = event.meta();
    let name = json::short(event.full_name());
    match (event, meta.source_id) {
        (Event::DataSourceUpdated(updated), Some(source)) => {
            format!("{name}: source {source}, version {}, changed {}", meta.sequence, updated.changed.join(", "))
        }
        (Event::FavoriteSet(star), _) => format!("{name}: source {}, favorite {}", star.source_id, star.favorite),
        (_, Some(source)) => format!("{name}: source {source}, version {}", meta.sequence),
        (_, None) => name.to_owned(),
    }
}
