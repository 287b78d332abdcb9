//! What every command carries: ids, actor, deadline, condition.

use pursight_schemas::{CommandMeta, Micros};
use uuid::Uuid;

use super::Violations;

/// A deadline further away than work items are kept would never be met.
const LONGEST_SECONDS: i64 = 30 * 86_400;
/// Longest text of an actor, bytes. It is repeated in every event.
pub const ACTOR_BYTES: usize = 1_024;

/// Whether the actor's texts may stand in events at all. Events of refusals carry them too, so this cannot be a
/// violation: a record that fails here is a dead letter.
pub fn is_repeatable(meta: &CommandMeta) -> bool {
    let actor = &meta.actor;
    let texts = [Some(actor.principal.as_str()), actor.on_behalf_of.as_deref(), actor.reason.as_deref()];
    texts.into_iter().flatten().all(|text| text.len() <= ACTOR_BYTES && !text.contains('\0'))
}

/// Checks what the contract requires of every command.
pub fn check(found: &mut Violations, meta: &CommandMeta, at: Micros) {
    if meta.command_id == Uuid::nil() {
        found.invalid("/meta/command_id", "required");
    }
    if meta.actor.principal.trim().is_empty() {
        found.invalid("/meta/actor/principal", "required");
    }
    if meta.deadline.is_some_and(|deadline| deadline > at.plus_seconds(LONGEST_SECONDS)) {
        found.invalid("/meta/deadline", "at most 30 days after the command");
    }
    if meta.expected_version.is_some_and(|version| version < 0) {
        found.invalid("/meta/expected_version", "a version is never negative");
    }
}

/// Refuses a condition on a command that is not about one source.
pub fn no_condition(found: &mut Violations, meta: &CommandMeta) {
    if meta.expected_version.is_some() {
        found.invalid(
            "/meta/expected_version",
            "this command is not about one source, so it cannot depend on a version",
        );
    }
}
