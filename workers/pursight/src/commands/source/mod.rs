//! `pursight source`: everything about one source or all of them. This file has the words and what several of them
//! share; each word has its own file.

mod change;
mod changes;
mod create;
mod discover;
mod history;
mod list;
mod objects;
mod password;
mod show;
mod spec;
mod state;
mod stats;
mod test;
mod update;

pub use password::from_stdin;

use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

use crate::context::Context;
use crate::error::CliError;
use crate::report::Report;

/// How long the registry may take to decide.
const DECIDED_WITHIN: Duration = Duration::from_secs(60);

/// Register sources, look at them, run work on them. A source is named by its name or its id.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pursight source create --name orders --type postgresql --host db.acme.example --database shop --user reader --password-stdin
  pursight source list
  pursight source test orders
  pursight source discover orders --strategy conservative
  pursight source changes orders")]
pub struct Source {
    #[command(subcommand)]
    word: Word,
}

#[derive(Debug, Subcommand)]
enum Word {
    Create(Box<create::Create>),
    Update(Box<update::Update>),
    Delete(state::Delete),
    Restore(state::Restore),
    Pause(state::Pause),
    Resume(state::Resume),
    Favorite(state::Favorite),
    List(list::List),
    Show(show::Show),
    Uri(show::Uri),
    History(history::History),
    Test(Box<test::Test>),
    Discover(discover::Discover),
    ConfirmDeletions(discover::ConfirmDeletions),
    Stats(stats::Stats),
    Changes(changes::Changes),
    Objects(objects::Objects),
}

/// Runs it.
pub async fn run(source: Source, context: &Context) -> Result<Report, CliError> {
    match source.word {
        Word::Create(word) => create::run(*word, context).await,
        Word::Update(word) => update::run(*word, context).await,
        Word::Delete(word) => state::delete(word, context).await,
        Word::Restore(word) => state::restore(word, context).await,
        Word::Pause(word) => state::pause(word, context).await,
        Word::Resume(word) => state::resume(word, context).await,
        Word::Favorite(word) => state::favorite(word, context).await,
        Word::List(word) => list::run(word, context).await,
        Word::Show(word) => show::run(word, context).await,
        Word::Uri(word) => show::uri(word, context).await,
        Word::History(word) => history::run(word, context).await,
        Word::Test(word) => test::run(*word, context).await,
        Word::Discover(word) => discover::run(word, context).await,
        Word::ConfirmDeletions(word) => discover::confirm(word, context).await,
        Word::Stats(word) => stats::run(word, context).await,
        Word::Changes(word) => changes::run(word, context).await,
        Word::Objects(word) => objects::run(word, context).await,
    }
}

/// A command's body that names a source.
fn body_of(source_id: Uuid) -> Map<String, Json> {
    let mut body = Map::new();
    body.insert("source_id".to_owned(), json!(source_id));
    body
}
