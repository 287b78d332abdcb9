//! The outcome of all switches as a table for people.

use std::fmt::Write as _;

use super::Outcome;

/// The table.
pub fn text(all: &[Outcome]) -> String {
    let mut text = String::from("\n");
    // A String takes everything.
    let _ = writeln!(
        text,
        "  {:46} {:11} {:18} {:>9} {:>9}  also seen by",
        "switch", "scenario", "caught by", "evident", "verdict"
    );
    for one in all {
        let scenario = format!("{:?}", one.scenario);
        let name = one.switch.unwrap_or("(none: the control)");
        let caught = match (one.switch, one.caught_by, one.good) {
            (None, _, true) => "sound",
            (None, _, false) => "NOT SOUND",
            (Some(_), Some(check), true) => check,
            (Some(_), Some(_), false) => "WORK WAS LEFT",
            (Some(_), None, _) => "NOT CAUGHT",
        };
        let evident = one.evident_after_s.map(|seconds| format!("{seconds:.1} s")).unwrap_or_default();
        let _ = writeln!(
            text,
            "  {name:46} {scenario:11} {caught:18} {evident:>9} {:>7.1} s  {}",
            one.caught_after_s,
            one.also.join(", ")
        );
        if !one.good || one.switch.is_some() {
            let _ = writeln!(text, "      {}", one.says);
        }
    }
    text
}
