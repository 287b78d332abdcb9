//! The problems that discovery itself finds, each with what to do about it.

use pursight_schemas::{Problem, ProblemCategory};

use crate::deletion::NothingHeld;

/// The deadline passed.
pub fn deadline() -> Problem {
    Problem {
        retryable: true,
        ..problem(
            "DEADLINE_EXCEEDED",
            ProblemCategory::Transient,
            "the discovery did not end before its deadline",
            "ask again with a later deadline, a narrower scope or a stronger strategy",
        )
    }
}

/// A confirmation without a hold.
pub fn nothing_held(nothing: &NothingHeld) -> Problem {
    let remedy = match nothing.open {
        Some(run) => format!("the deletions that wait are those of run {run}: look at them, and confirm that run"),
        None => "nothing waits for a confirmation; discover again to see what is missing".to_owned(),
    };
    problem("UNKNOWN_RUN", ProblemCategory::Config, "no deletions of that run are held", &remedy)
}

/// A work item that names no source.
pub fn no_source() -> Problem {
    problem("INTERNAL", ProblemCategory::Internal, "the work item names no source", "ask for the discovery again")
}

/// No database to look at.
pub fn no_databases() -> Problem {
    problem(
        "DATABASE_NOT_FOUND",
        ProblemCategory::Config,
        "the source's option `databases` names none that the role may open",
        "name databases that exist, or grant the role CONNECT on one",
    )
}

fn problem(code: &str, category: ProblemCategory, message: &str, remedy: &str) -> Problem {
    Problem {
        code: code.to_owned(),
        category,
        message: message.to_owned(),
        remedy: Some(remedy.to_owned()),
        ..Problem::default()
    }
}
