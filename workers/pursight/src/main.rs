//! The executable: the command line, and `run`, which is every worker. Arguments in, one report or one error out; the
//! work is in `commands/`, one file a word.

mod ask;
mod commands;
mod context;
mod error;
mod follow;
mod line;
mod log_reader;
mod outcome;
mod ports;
mod publish;
mod report;
mod rows;
mod tail;
mod uri;
mod workers;

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::Parser as _;

use crate::commands::Cli;
use crate::error::CliError;
use crate::report::{Report, note};

#[tokio::main]
async fn main() -> ExitCode {
    // Nothing without the feature `failpoints`; with it, `FAILPOINTS` says what goes wrong. Kept until the end.
    #[cfg(feature = "failpoints")]
    let _scenario = fail::FailScenario::setup();
    let cli = Cli::parse();
    let json = cli.json;
    match Box::pin(commands::run(cli)).await {
        Ok(report) => ended(&report, json),
        Err(error) => failed(&error, json),
    }
}

fn ended(report: &Report, json: bool) -> ExitCode {
    // Whoever reads us may have gone (`| head`); what was done is done.
    drop(report.write(json));
    ExitCode::from(report.exit_code())
}

fn failed(error: &CliError, json: bool) -> ExitCode {
    if json {
        drop(writeln!(io::stdout(), "{:#}", error.document()));
    }
    note(&format!("pursight: {error}"));
    note(&format!("   what to do: {}", error.remedy()));
    ExitCode::from(error.exit_code())
}
