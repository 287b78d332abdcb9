//! Measures the product beside its limits: the same work done by a loop, a statement or a query that adds nothing of its
//! own, in the same run and in turns with it. Every figure is of the real executable; see the README for how to read them.
//! Next: `pipeline`, `latency`, `rebuild`, `discovery`, `idle`, `soak`, each one suite.

#![expect(clippy::disallowed_methods, reason = "measuring reads clocks, and names things at random")]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "its tables are its output")]

mod commands;
mod discovery;
mod idle;
mod latency;
mod limit;
mod pipeline;
mod process;
mod progress;
mod rebuild;
mod report;
mod soak;
mod upsert;

use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use report::Report;

const USAGE: &str =
    "bench [pipeline|latency|rebuild|discovery|idle|soak]... [--json] [--runs N] [--minutes M] [--rate R]
without a suite: all but soak";

/// What is asked for.
struct Asked {
    suites: Vec<String>,
    json: bool,
    runs: usize,
    minutes: f64,
    rate: f64,
}

impl Asked {
    fn read(words: impl Iterator<Item = String>) -> Result<Self> {
        let mut asked = Self { suites: Vec::new(), json: false, runs: 3, minutes: 20.0, rate: 100.0 };
        let mut words = words;
        while let Some(word) = words.next() {
            let mut value = || words.next().with_context(|| format!("{word} needs a number\n{USAGE}"));
            match word.as_str() {
                "--json" => asked.json = true,
                "--runs" => asked.runs = value()?.parse()?,
                "--minutes" => asked.minutes = value()?.parse()?,
                "--rate" => asked.rate = value()?.parse()?,
                "pipeline" | "latency" | "rebuild" | "discovery" | "idle" | "soak" => asked.suites.push(word),
                _ => bail!("unknown word: {word}\n{USAGE}"),
            }
        }
        if asked.suites.is_empty() {
            asked.suites = ["pipeline", "latency", "rebuild", "discovery", "idle"].map(str::to_owned).to_vec();
        }
        Ok(asked)
    }
}

fn main() -> Result<()> {
    let asked = Asked::read(std::env::args().skip(1))?;
    let mut report = Report::default();
    for suite in &asked.suites {
        match suite.as_str() {
            "pipeline" => pipeline::run(&mut report, asked.runs)?,
            "latency" => latency::run(&mut report, asked.runs)?,
            "rebuild" => rebuild::run(&mut report, asked.runs)?,
            "discovery" => discovery::run(&mut report, asked.runs)?,
            "idle" => idle::run(&mut report, asked.runs)?,
            _ => soak::run(&mut report, Duration::from_secs_f64(asked.minutes * 60.0), asked.rate)?,
        }
    }
    print!("{}", if asked.json { report.json() } else { report.markdown() });
    Ok(())
}
