//! Every way in which what is beside the log can be bad (the read model, positions, offsets), and the check that names it.

use super::parts::sample;
use super::{finds, spoilt, violated};
use crate::history::{Act, History};

const C9: &str = "C9 fold";
const C10: &str = "C10 positions";

#[test]
fn a_read_model_that_differs_from_its_rebuild() {
    let history = spoilt(|history| history.live[2].hash = "other".to_owned());
    finds(&history, C9, "the rebuilt row is another one", "command c1");
    let history = spoilt(|history| drop(history.rebuilt.remove(2)));
    finds(&history, C9, "a rebuild does not have this row", "command c1");
    let history = spoilt(|history| drop(history.live.remove(2)));
    finds(&history, C9, "only a rebuild has this row", "command c1");
    finds(&history, C9, "5 rows, and the log tells of 6", "command");
    let history = spoilt(|history| history.rebuilt.clear());
    finds(&history, C9, "there is no rebuilt read model", "rebuilt");
}

#[test]
fn dead_letters_are_counted_and_not_compared() {
    let history = spoilt(|history| history.rebuilt.retain(|row| row.table != "dead_letter"));
    assert!(violated(&history).is_empty());
    let history = spoilt(|history| history.live.retain(|row| row.table != "dead_letter"));
    finds(&history, C9, "0 rows, and the log has 4", "dead_letter");
}

#[test]
fn positions_that_go_back_or_beyond_the_log() {
    let history = spoilt(|history| history.positions.push(sample(9, 2, 8)));
    finds(&history, C10, "from 9", "source/4@8, the read model");
    let history = spoilt(|history| history.positions.push(sample(9, 1, 9)));
    finds(&history, C10, "epoch 2", "source/4@9");
    let stopped = |history: &mut History, signal: &str| {
        let act = |at_ms, act: &str, more: serde_json::Value| Act {
            at_ms,
            act: act.to_owned(),
            target: "database".to_owned(),
            pid: None,
            more: more.as_object().cloned().unwrap_or_default(),
        };
        history.acts.push(act(6, "database-stop", serde_json::json!({"signal": signal})));
        history.acts.push(act(7, "database-start", serde_json::json!({})));
        history.positions.push(sample(9, 2, 8));
    };
    assert!(
        violated(&spoilt(|history| stopped(history, "QUIT"))).is_empty(),
        "a crash takes back what was not on disk"
    );
    finds(&spoilt(|history| stopped(history, "INT")), C10, "from 9", "source/4@8, the read model");
    let history = spoilt(|history| history.positions.push(sample(9, 2, 101)));
    finds(&history, C10, "the log has 0 to 100", "source/4@101");
}

#[test]
fn groups_that_go_back_beyond_the_log_or_lose_their_offset() {
    let history = spoilt(|history| history.ends.groups[0].offset = Some(10));
    finds(&history, C10, "back from Some(11)", "command/4@10, group test-registry");
    let history = spoilt(|history| history.ends.groups[0].offset = Some(101));
    finds(&history, C10, "the log has 0 to 100", "command/4@101");
    let history = spoilt(|history| history.ends.groups[0].offset = None);
    finds(&history, C10, "no offset", "group test-registry");
}
