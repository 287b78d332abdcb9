//! `pursight run`: workers until told to stop.

use clap::Args;

use crate::context::Context;
use crate::error::CliError;
use crate::report::Report;

/// Run workers until told to stop; SIGTERM drains
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pursight run all
  pursight run registry projection
  PURSIGHT_INSTANCE=2 pursight run discovery        a second one on this host")]
pub struct Run {
    /// Workers by name, or all
    #[arg(required = true, value_parser = ["all", "registry", "connection", "discovery", "statistics", "projection"])]
    workers: Vec<String>,
}

/// Runs it.
pub async fn run(run: Run, context: &Context) -> Result<Report, CliError> {
    let _ = (run.workers, context.kafka()?);
    Err(CliError::failed("workers are not wired yet", "wait for it"))
}
