//! `pursight run`: workers until told to stop.

use std::sync::Arc;

use clap::Args;
use pursight_service::health::Server;
use pursight_service::{Health, Lifecycle, metrics, telemetry};

use crate::context::Context;
use crate::error::{CliError, chain};
use crate::report::Report;
use crate::workers::{self, Parts, Which};

/// Run workers until told to stop; SIGTERM drains. Logs go to stderr, health and metrics to PURSIGHT_HTTP_LISTEN
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pursight run all
  pursight run registry projection
  PURSIGHT_INSTANCE=second pursight run discovery        another one on this host")]
pub struct Run {
    /// Workers by name, or all
    #[arg(required = true, value_parser = ["all", "registry", "connection", "discovery", "statistics", "projection"])]
    workers: Vec<String>,
}

/// Runs it.
pub async fn run(run: Run, context: &Context) -> Result<Report, CliError> {
    let settings = context.settings();
    let parts = Arc::new(Parts::new(context)?);
    telemetry::init(settings.logs())
        .map_err(|error| CliError::usage(chain(&error), "correct PURSIGHT_LOG: pursight settings"))?;
    let metrics = metrics::install().map_err(|error| CliError::failed(chain(&error), "report this"))?;
    let health = Health::new();
    let mut lifecycle = Lifecycle::new(health.clone(), settings.http().drain_timeout);
    if let Some(listen) = settings.http().listen {
        let server = Server::bind(listen, health.clone(), metrics).await.map_err(|error| {
            CliError::failed(format!("cannot listen on {listen}: {error}"), "choose another PURSIGHT_HTTP_LISTEN")
        })?;
        lifecycle.spawn("http", server.run(lifecycle.stop_token()));
    }
    let reason = workers::start(&Which::of_words(&run.workers), &parts, &mut lifecycle, &health);
    match lifecycle.run().await {
        Ok(()) => Ok(Report::silent()),
        Err(error) => Err(reason.take().unwrap_or_else(|| CliError::failed(chain(&error), "see the log"))),
    }
}
