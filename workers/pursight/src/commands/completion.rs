//! `pursight completion`: what a shell needs to complete our words.

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;
use serde_json::json;

use super::Cli;
use crate::error::CliError;
use crate::report::Report;

/// Completion for a shell.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pursight completion bash > /etc/bash_completion.d/pursight
  pursight completion zsh  > \"${fpath[1]}/_pursight\"
  pursight completion fish > ~/.config/fish/completions/pursight.fish")]
pub struct Completion {
    /// Which shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Runs it.
pub fn run(command: &Completion) -> Result<Report, CliError> {
    let mut script = Vec::new();
    clap_complete::generate(command.shell, &mut Cli::command(), "pursight", &mut script);
    let script = String::from_utf8_lossy(&script).into_owned();
    Ok(Report::new(json!({"shell": command.shell.to_string(), "script": script}), script))
}
