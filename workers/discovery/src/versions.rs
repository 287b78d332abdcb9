//! Versions of an object: semantic, raised by the worst change of a run.
//! Owns nothing but the arithmetic.

use pursight_schemas::{Change, Severity};

/// The first version of every object.
pub const FIRST: &str = "1.0.0";

/// The version after some changes; the same one if there are none. A version that cannot be read starts over.
pub fn raised(version: &str, changes: &[Change]) -> String {
    let Some((major, minor, patch)) = parsed(version) else { return FIRST.to_owned() };
    match worst(changes) {
        None | Some(Severity::Unknown) => version.to_owned(),
        Some(Severity::Patch) => format!("{major}.{minor}.{}", patch.saturating_add(1)),
        Some(Severity::Minor) => format!("{major}.{}.0", minor.saturating_add(1)),
        Some(Severity::Major | Severity::Security) => format!("{}.0.0", major.saturating_add(1)),
    }
}

fn worst(changes: &[Change]) -> Option<Severity> {
    changes.iter().map(|change| change.severity).filter(|severity| *severity != Severity::Unknown).max()
}

fn parsed(version: &str) -> Option<(u64, u64, u64)> {
    let mut parts = version.split('.').map(|part| part.parse::<u64>().ok());
    let parsed = (parts.next()??, parts.next()??, parts.next()??);
    parts.next().is_none().then_some(parsed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(severities: &[Severity]) -> Vec<Change> {
        severities.iter().map(|severity| Change { severity: *severity, ..Change::default() }).collect()
    }

    #[test]
    fn the_worst_change_decides_and_lower_parts_start_again() {
        assert_eq!(raised("1.2.3", &of(&[])), "1.2.3");
        assert_eq!(raised("1.2.3", &of(&[Severity::Patch, Severity::Patch])), "1.2.4");
        assert_eq!(raised("1.2.3", &of(&[Severity::Minor, Severity::Patch])), "1.3.0");
        assert_eq!(raised("1.2.3", &of(&[Severity::Minor, Severity::Major])), "2.0.0");
        assert_eq!(raised("1.2.3", &of(&[Severity::Security])), "2.0.0");
    }

    #[test]
    fn a_version_that_cannot_be_read_starts_over() {
        for bad in ["", "1", "1.2", "1.2.3.4", "a.b.c", "-1.0.0"] {
            assert_eq!(raised(bad, &of(&[Severity::Major])), FIRST, "{bad}");
        }
    }
}
