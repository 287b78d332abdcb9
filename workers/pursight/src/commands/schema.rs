//! `pursight schema`: the Avro contract, as it is built into this program.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use pursight_schemas::compat::{self, Sources};
use pursight_schemas::{Topic, json as records, published};
use serde_json::{Value as Json, json};

use crate::error::{CliError, chain};
use crate::report::{Report, table};

/// The Avro contract.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pursight schema list --topic command
  pursight schema export contract/
  pursight schema check schemas/avro")]
pub struct Schema {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Ids, versions and topics of every record
    #[command(after_help = "Example:\n  pursight schema list --topic command")]
    List {
        /// Only records of this topic
        #[arg(long)]
        topic: Option<String>,
    },
    /// Whether edited schemas (a folder of .avsc files) are fully compatible with everything ever published
    #[command(after_help = "Example:\n  pursight schema check schemas/avro")]
    Check {
        /// Folder of .avsc files; without it the built-in ones are compared with each other
        folder: Option<PathBuf>,
    },
    /// Write every published schema and ids.json into a folder, for a client in another language
    #[command(after_help = "Example:\n  pursight schema export contract/")]
    Export {
        /// Folder; is made if it is missing
        folder: PathBuf,
    },
}

/// Runs it.
pub fn run(command: Schema, prefix: &str) -> Result<Report, CliError> {
    match command.what {
        What::List { topic } => list(prefix, topic.as_deref()),
        What::Check { folder } => check(folder.as_deref()),
        What::Export { folder } => export(&folder).map_err(|error| {
            CliError::failed(
                format!("cannot write {}: {error}", folder.display()),
                "choose a folder that this user may write",
            )
        }),
    }
}

fn list(prefix: &str, topic: Option<&str>) -> Result<Report, CliError> {
    let only = match topic {
        None => None,
        Some(name) => Some(super::topic(prefix, name)?),
    };
    let entries = published::ENTRIES.iter().filter(|entry| only.is_none_or(|topic| topic.carries(&entry.record)));
    let mut documents = Vec::new();
    let mut rows = Vec::new();
    for entry in entries {
        let topics: Vec<String> =
            Topic::ALL.iter().filter(|topic| topic.carries(&entry.record)).map(|topic| topic.name(prefix)).collect();
        let fields = fields(entry.id);
        rows.push([
            entry.id.to_string(),
            records::short(&entry.record).to_owned(),
            entry.version.to_string(),
            topics.join("\n"),
            fields.join(", "),
        ]);
        documents.push(json!({
            "id": entry.id, "record": entry.record, "version": entry.version, "topics": topics, "fields": fields,
        }));
    }
    Ok(Report::new(Json::Array(documents), table(["id", "record", "version", "topics", "fields"], rows)))
}

fn fields(id: u32) -> Vec<String> {
    let schema: Json = published::text(id).and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let fields = schema["fields"].as_array().cloned().unwrap_or_default();
    fields.iter().filter_map(|field| field["name"].as_str().map(str::to_owned)).collect()
}

fn check(folder: Option<&Path>) -> Result<Report, CliError> {
    let refused = |error: compat::CompatError| CliError::failed(chain(&error), "mend the schema, then check again");
    let mut checked = 0;
    if let Some(folder) = folder {
        let mut sources = Sources::new();
        let unreadable = |path: &Path, error: io::Error| {
            CliError::usage(format!("cannot read {}: {error}", path.display()), "name a folder of .avsc files")
        };
        for path in files(folder).map_err(|error| unreadable(folder, error))? {
            let text = fs::read_to_string(&path).map_err(|error| unreadable(&path, error))?;
            compat::add_source(&mut sources, &path.display().to_string(), &text).map_err(refused)?;
        }
        for record in compat::records(&sources) {
            let candidate = compat::inline(&sources, &record).map_err(refused)?.to_string();
            compat::check(&record, &candidate, &versions(&record)).map_err(refused)?;
            checked += 1;
        }
    } else {
        for entry in published::ENTRIES.iter() {
            let text = published::text(entry.id).unwrap_or_default();
            // A version answers for what came before it: what came after may have more symbols.
            let mut earlier = versions(&entry.record);
            earlier.retain(|(version, _)| *version < entry.version);
            compat::check(&entry.record, text, &earlier).map_err(refused)?;
            checked += 1;
        }
    }
    Ok(Report::new(json!({"checked": checked, "compatible": true}), format!("{checked} schemas, all fully compatible")))
}

fn versions(record: &str) -> Vec<(u32, &'static str)> {
    let entries = published::ENTRIES.iter().filter(|entry| entry.record == record);
    entries.filter_map(|entry| Some((entry.version, published::text(entry.id)?))).collect()
}

fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "avsc") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn export(folder: &Path) -> io::Result<Report> {
    let schemas = folder.join("published");
    fs::create_dir_all(&schemas)?;
    for entry in published::ENTRIES.iter() {
        fs::write(schemas.join(format!("{}.avsc", entry.id)), published::text(entry.id).unwrap_or_default())?;
    }
    fs::write(folder.join("ids.json"), published::IDS_JSON)?;
    let count = published::ENTRIES.len();
    let text =
        format!("{count} schemas in {}, their index in {}", schemas.display(), folder.join("ids.json").display());
    Ok(Report::new(json!({"schemas": count, "folder": folder}), text))
}
