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

use pursight_service::core_files;

use crate::error::CliError;
use crate::report::{Report, note};

/// A discovery spends a third of its processor time with memory: with this one it takes a tenth less time than with the
/// system's own, a rebuild an eighth, and no more memory (`./dev bench`).
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

#[tokio::main]
async fn main() -> ExitCode {
    // Nothing without the feature `failpoints`; with it, `FAILPOINTS` says what goes wrong. Kept until the end.
    #[cfg(feature = "failpoints")]
    let _scenario = fail::FailScenario::setup();
    let cli = commands::parse();
    let json = cli.json;
    if let Err(error) = core_files::forbid() {
        return failed(&CliError::failed(format!("core files cannot be forbidden: {error}"), "report this"), json);
    }
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
