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

use clap::error::{ContextKind, ContextValue};
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

/// The words of this call. Ends the process where they make no sense.
pub fn parse() -> Cli {
    Cli::try_parse().unwrap_or_else(|error| without_values(error).exit())
}

/// Faults name flags and never repeat a value: it may be a secret that somebody typed where none belongs.
fn without_values(mut error: clap::Error) -> clap::Error {
    let is_value = |kind: ContextKind, value: &ContextValue| match (kind, value) {
        (ContextKind::InvalidValue, _) => true,
        (ContextKind::InvalidArg, ContextValue::String(text)) => !text.starts_with(['-', '<', '[']),
        _ => false,
    };
    let values: Vec<ContextKind> =
        error.context().filter(|(kind, value)| is_value(*kind, value)).map(|(kind, _)| kind).collect();
    for kind in values {
        error.insert(kind, ContextValue::String("(not shown)".to_owned()));
    }
    error
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
    #![expect(clippy::expect_used, reason = "a test fails by panicking")]
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
    fn faults_name_the_flag_and_do_not_repeat_the_value() {
        for (line, flag) in [
            ("source create --password hunter2", "--password"),
            ("source create --password=hunter2", "--password"),
            ("source create --port hunter2", "--port"),
            ("source create --type hunter2", "--type"),
            ("source create --property hunter2", "--property"),
            ("source create --command-id hunter2", "--command-id"),
            ("source create hunter2", "(not shown)"),
            ("secret seal hunter2", "(not shown)"),
            ("secret seal -p hunter2", "-p"),
            ("command show hunter2", "<ID>"),
            ("watch --from hunter2", "--from"),
            ("keys create --permission hunter2", "--permission"),
            ("run hunter2", "<WORKERS>"),
        ] {
            let words = ["pursight"].into_iter().chain(line.split(' '));
            let said = without_values(Cli::try_parse_from(words).expect_err(line)).to_string();
            assert!(said.contains(flag) && !said.contains("hunter2"), "{line}: {said}");
        }
        let said = without_values(Cli::try_parse_from(["pursight", "sauce"]).expect_err("no word")).to_string();
        assert!(said.contains("sauce"), "{said}");
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
