//! Identity as a function: the same cause always gives the same id. Knows no random source.

use uuid::Uuid;

use crate::types::kinds::ObjectKind;

fn derive(namespace: Uuid, name: &str) -> Uuid {
    Uuid::new_v5(&namespace, name.as_bytes())
}

/// Id of the event at `position` among those that a command gave rise to.
pub fn command_event_id(command_id: Uuid, position: usize) -> Uuid {
    derive(command_id, &position.to_string())
}

/// Id of a run's event.
pub fn run_event_id(run_id: Uuid, attempt: i32, sequence: i64) -> Uuid {
    derive(run_id, &format!("{attempt}/{sequence}"))
}

/// Id of a run's outcome event (progress or terminal), apart from its other events.
pub fn run_outcome_id(run_id: Uuid, attempt: i32, position: i64) -> Uuid {
    derive(run_id, &format!("outcome/{attempt}/{position}"))
}

/// Id of a source whose publisher chose none.
pub fn source_id(command_id: Uuid) -> Uuid {
    derive(command_id, "source")
}

/// Id of the run that follows a creation; `word` is `test` or `discover`.
pub fn follow_up_run_id(command_id: Uuid, word: &str) -> Uuid {
    derive(command_id, word)
}

/// Id of an object by the name under which it was first seen. `again` is the native id of an object that came
/// after a dropped one of the same name.
pub fn object_id(source: Uuid, kind: ObjectKind, catalog: &str, schema: &str, name: &str, again: Option<&str>) -> Uuid {
    let mut path = format!("{}/{}/{}/{}", kind.symbol(), percent(catalog), percent(schema), percent(name));
    if let Some(native) = again {
        path.push('@');
        path.push_str(native);
    }
    derive(source, &path)
}

/// Percent-encodes everything but RFC 3986's unreserved characters.
pub fn percent(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_name_cannot_be_shifted() {
        let source = Uuid::from_u128(7);
        let one = object_id(source, ObjectKind::Table, "db", "a/b", "c", None);
        let other = object_id(source, ObjectKind::Table, "db", "a", "b/c", None);
        assert_ne!(one, other);
        assert_ne!(one, object_id(source, ObjectKind::Table, "db", "a/b", "c", Some("17")));
        assert_eq!(percent("ä b"), "%C3%A4%20b");
    }
}
