//! `./dev chaos`: runs the chaos harness under one seed or several, judges each run, prints a table; judges an old run
//! again. The harness is in `pursight_tests::chaos`, what a run must look like in `pursight_tests::checks`.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand};
use pursight_tests::chaos::{self, Plan};
use pursight_tests::planted;
use serde_json::{Value as Json, json};

/// The whole system under faults: kills, restarts, and a judge
#[derive(Debug, Parser)]
#[command(
    name = "./dev chaos",
    after_help = "Examples:
  ./dev chaos --seed 7 --minutes 1.5
  ./dev chaos --seeds 1..10
  ./dev chaos --planted
  ./dev chaos judge .dev/chaos/7"
)]
struct Words {
    #[command(subcommand)]
    word: Option<Word>,
    /// Seed of everything random
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Several seeds in a row, FIRST..LAST
    #[arg(long, conflicts_with = "seed", value_parser = several)]
    seeds: Option<Several>,
    /// How long commands flow and faults happen; the number of both grows with it
    #[arg(long, default_value_t = 1.5)]
    minutes: f64,
    /// 300 records and 6 kills in 40 seconds, as in ./dev test
    #[arg(long, conflicts_with = "minutes")]
    small: bool,
    /// Records to send, in place of what the size says
    #[arg(long)]
    operations: Option<usize>,
    /// No faults at all
    #[arg(long)]
    calm: bool,
    /// Break one rule after the other, and see that a check notices; with NAME only those whose name holds it
    #[arg(long, value_name = "NAME", num_args = 0..=1, default_missing_value = "")]
    planted: Option<String>,
    /// Let processes die at each step of their transactions, so many times in a hundred
    #[arg(long, value_name = "PERCENT")]
    crash_points: Option<f64>,
    /// A further setting of the workers, NAME=VALUE
    #[arg(long, value_name = "NAME=VALUE", value_parser = setting)]
    set: Vec<(String, String)>,
    /// Where runs are kept, a folder for each seed
    #[arg(long, default_value = ".dev/chaos")]
    folder: PathBuf,
    /// One JSON document on standard output
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Word {
    /// Judge the folder of an old run again
    Judge {
        /// The folder
        folder: PathBuf,
    },
}

#[derive(Debug, Clone, Copy)]
struct Several(u64, u64);

fn several(text: &str) -> Result<Several, String> {
    let parsed = text.split_once("..").and_then(|(first, last)| Some(Several(first.parse().ok()?, last.parse().ok()?)));
    parsed.filter(|several| several.0 <= several.1).ok_or_else(|| "for example 1..10".to_owned())
}

fn setting(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
    pair.ok_or_else(|| "for example PURSIGHT_LOG=debug".to_owned())
}

fn main() -> ExitCode {
    let words = Words::parse();
    match runs(&words) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            say(&mut io::stderr(), &format!("chaos: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Whether everything was as it must be.
fn runs(words: &Words) -> Result<bool> {
    if let Some(Word::Judge { folder }) = &words.word {
        return told(words, &[chaos::judge(folder)?]);
    }
    if let Some(wanted) = &words.planted {
        return broken(words, wanted);
    }
    let Several(first, last) = words.seeds.unwrap_or(Several(words.seed, words.seed));
    let mut reports = Vec::new();
    for seed in first..=last {
        let folder = words.folder.join(seed.to_string());
        make_room(&folder)?;
        chaos::run(&plan(words, seed), &folder, true).with_context(|| format!("seed {seed}"))?;
        let report = chaos::judge(&folder)?;
        say(&mut io::stderr(), &report.line());
        reports.push(report);
    }
    told(words, &reports)
}

/// Every planted fault, and whether each was caught.
fn broken(words: &Words, wanted: &str) -> Result<bool> {
    let told = |one: &planted::Outcome| say(&mut io::stderr(), &planted::text(std::slice::from_ref(one)));
    let all = planted::run(&words.folder.join("planted"), wanted, words.seed, &told)?;
    let text = if words.json { format!("{:#}", planted::document(&all)?) } else { planted::text(&all) };
    say(&mut io::stdout(), &text);
    Ok(planted::is_proved(&all))
}

fn plan(words: &Words, seed: u64) -> Plan {
    let mut plan = if words.small { Plan::small(seed) } else { Plan::full(seed, words.minutes) };
    plan.operations = words.operations.unwrap_or(plan.operations);
    if let Some(percent) = words.crash_points {
        // Nobody dies while it takes over: it would not get to work.
        let points = planted::CRASH_POINTS.map(|point| format!("{point}=20*off->{percent}%return"));
        plan.environment.insert("FAILPOINTS".to_owned(), points.join(";"));
    }
    plan.environment.extend(words.set.iter().cloned());
    if words.calm {
        plan.faults = chaos::Faults::default();
    }
    plan
}

/// An earlier run of the same seed makes way, but only if it is one.
fn make_room(folder: &Path) -> Result<()> {
    if folder.join("records").is_dir() && folder.join("uncommitted").is_dir() {
        std::fs::remove_dir_all(folder)?;
    }
    Ok(())
}

fn told(words: &Words, reports: &[chaos::Report]) -> Result<bool> {
    let sound = reports.iter().all(chaos::Report::is_sound);
    let mut out = io::stdout();
    if words.json {
        let documents: Vec<Json> = reports.iter().map(chaos::Report::document).collect();
        say(&mut out, &format!("{:#}", json!({"sound": sound, "runs": documents})));
    } else {
        reports.iter().for_each(|report| say(&mut out, &report.text()));
    }
    Ok(sound)
}

fn say(to: &mut impl io::Write, text: &str) {
    // Nobody may be reading.
    let _ = writeln!(to, "{text}");
}
