//! The words of the command line, one file each. This one has the list and nothing else.

mod audit_chain;
mod command;
mod completion;
mod dead_letter;
mod doctor;
mod keys;
mod migrate;
mod rebuild;
mod replay;
mod run;
mod schema;
mod secret;
mod send;
mod settings;
mod source;
mod topics;
mod watch;

use clap::{Parser, Subcommand};
use pursight_schemas::Topic;

pub use keys::explain as explain_key;

use crate::context::Context;
use crate::error::CliError;
use crate::report::Report;

/// PurSight Sources: register databases, test them, discover and measure what is in them.
///
/// Settings come from the environment: `pursight settings` lists them.
#[derive(Debug, Parser)]
#[command(
    name = "pursight",
    version,
    disable_help_subcommand = true,
    after_help = "Examples:
  pursight doctor
  pursight source create --name orders --type postgresql --host db.acme.example --database shop --user reader --password-stdin
  pursight source test orders
  pursight source discover orders
  pursight watch --source orders

Exit codes: 0 done; 1 rejected, failed, or a test failed; 2 wrong usage; 3 the system is unreachable; 4 timed out waiting"
)]
pub struct Cli {
    /// One JSON document on stdout; progress and logs on stderr
    #[arg(long, global = true)]
    pub json: bool,
    #[command(subcommand)]
    word: Word,
}

#[derive(Debug, Subcommand)]
enum Word {
    Run(run::Run),
    Topics(topics::Topics),
    Migrate(migrate::Migrate),
    Doctor(doctor::Doctor),
    Settings(settings::Settings),
    Secret(secret::SecretWord),
    Keys(keys::Keys),
    Source(Box<source::Source>),
    Send(send::Send),
    Command(command::Command),
    RunCancel(command::RunCancel),
    Watch(watch::Watch),
    Replay(replay::Replay),
    Rebuild(rebuild::Rebuild),
    DeadLetter(dead_letter::DeadLetter),
    Schema(schema::Schema),
    Completion(completion::Completion),
}

/// Runs a word.
///
/// # Errors
/// What to say instead of a report.
pub async fn run(cli: Cli) -> Result<Report, CliError> {
    let context = Context::from_environment(cli.json)?;
    match cli.word {
        Word::Run(word) => run::run(word, &context).await,
        Word::Topics(word) => topics::run(word, &context).await,
        Word::Migrate(word) => migrate::run(&word, &context).await,
        Word::Doctor(word) => doctor::run(&word, &context).await,
        Word::Settings(word) => settings::run(&word, &context),
        Word::Secret(word) => secret::run(word, &context).await,
        Word::Keys(word) => keys::run(word, &context),
        Word::Source(word) => source::run(*word, &context).await,
        Word::Send(word) => send::run(word, &context).await,
        Word::Command(word) => command::run(word, &context).await,
        Word::RunCancel(word) => command::cancel(word, &context).await,
        Word::Watch(word) => watch::run(word, &context).await,
        Word::Replay(word) => replay::run(word, &context).await,
        Word::Rebuild(word) => rebuild::run(&word, &context).await,
        Word::DeadLetter(word) => dead_letter::run(word, &context).await,
        Word::Schema(word) => schema::run(word, context.prefix()),
        Word::Completion(word) => completion::run(&word),
    }
}

/// A topic by its short or full name.
fn topic(prefix: &str, name: &str) -> Result<Topic, CliError> {
    Topic::parse(prefix, name).ok_or_else(|| {
        let known: Vec<&str> = Topic::ALL.iter().map(|topic| topic.short()).collect();
        CliError::usage(format!("there is no topic {name:?}"), format!("topics are: {}", known.join(", ")))
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    /// Every word, with the words below it.
    fn words(command: &clap::Command) -> Vec<clap::Command> {
        command.get_subcommands().flat_map(|word| [vec![word.clone()], words(word)].concat()).collect()
    }

    #[test]
    fn the_words_and_flags_fit_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_word_is_explained_and_has_an_example() {
        for word in words(&Cli::command()) {
            let after = word.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(word.get_about().is_some(), "{} says nothing about itself", word.get_name());
            assert!(after.contains("Example") && after.contains("pursight "), "{} has no example", word.get_name());
        }
    }
}
