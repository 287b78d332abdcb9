//! `pursight source objects`: what is in a source.

use clap::Args;
use pursight_read_model::reader::ObjectFilter;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::context::Context;
use crate::error::CliError;
use crate::report::{Report, pairs, plain, table, when};

const KINDS: [&str; 8] =
    ["table", "view", "materialized_view", "foreign_table", "sequence", "routine", "trigger", "type"];

/// What is in a source; with --object everything about one object
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pursight source objects orders
  pursight source objects orders --schema sales --kind table --search invoice
  pursight source objects orders --object sales.invoice")]
pub struct Objects {
    /// Name or id of the source
    source: String,
    /// Only this schema
    #[arg(long)]
    schema: Option<String>,
    /// Only this kind
    #[arg(long, value_parser = KINDS, ignore_case = true)]
    kind: Option<String>,
    /// Only names that contain this text
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
    /// Dropped objects too
    #[arg(long)]
    dropped: bool,
    /// Everything about this one: schema.name, or its id
    #[arg(long, value_name = "OBJECT")]
    object: Option<String>,
    /// At most so many
    #[arg(long, default_value_t = 500, value_name = "N")]
    limit: i64,
}

/// Runs it.
pub async fn run(word: Objects, context: &Context) -> Result<Report, CliError> {
    let source_id = context.source_id(&word.source).await?;
    if let Some(name) = &word.object {
        return one(context, source_id, name).await;
    }
    let filter = ObjectFilter {
        schema: word.schema,
        kind: word.kind.map(|kind| kind.to_uppercase()),
        search: word.search,
        dropped: word.dropped,
        after: None,
        limit: word.limit,
    };
    let objects = context.rows()?.objects(source_id, &filter).await?;
    let rows = objects.iter().map(row).collect();
    let heads = ["object", "kind", "columns", "owner", "version", "state", "comment"];
    Ok(Report::new(json!(objects), table(heads, rows)))
}

fn row(object: &Json) -> [String; 7] {
    let field = |name: &str| plain(&object[name]);
    let state = match (object["held_by_run"].is_null(), object["unreadable"].is_null()) {
        (false, _) => "missing, held".to_owned(),
        (true, false) => "unreadable".to_owned(),
        (true, true) if object["in_scope"] == json!(false) => "out of scope".to_owned(),
        (true, true) => field("state").to_lowercase(),
    };
    [
        format!("{}.{}", field("schema"), field("name")),
        field("kind").to_lowercase().replace('_', " "),
        field("column_count"),
        field("owner"),
        field("version"),
        state,
        first_line(&field("comment")),
    ]
}

/// The beginning of a comment; the document has all of it.
fn first_line(comment: &str) -> String {
    const LONGEST: usize = 60;
    let line = comment.trim().lines().next().unwrap_or_default();
    if line.chars().count() <= LONGEST {
        line.to_owned()
    } else {
        line.chars().take(LONGEST - 1).chain(['…']).collect()
    }
}

async fn one(context: &Context, source_id: Uuid, name: &str) -> Result<Report, CliError> {
    let rows = context.rows()?;
    let Some(object) = rows.object(source_id, name).await? else {
        return Err(CliError::failed(
            format!("there is no object {name:?}"),
            "write schema.name as pursight source objects prints it; was the source discovered?",
        ));
    };
    Ok(Report::new(object.clone(), text(&object)))
}

fn text(object: &Json) -> String {
    let list = |name: &str| object[name].as_array().cloned().unwrap_or_default();
    let mut text = pairs(&[
        ("object", format!("{}.{}", plain(&object["schema"]), plain(&object["name"]))),
        ("kind", plain(&object["kind"]).to_lowercase()),
        ("object id", plain(&object["object_id"])),
        ("owner", plain(&object["owner"])),
        ("comment", plain(&object["comment"])),
        ("version", plain(&object["version"])),
        ("state", plain(&object["state"]).to_lowercase()),
        ("first seen", when(&object["first_seen_at"])),
        ("observed", when(&object["observed_at"])),
    ]);
    let columns: Vec<[String; 5]> = list("columns").iter().map(column).collect();
    if !columns.is_empty() {
        text.push_str(&table(["column", "type", "null", "default", "comment"], columns));
        text.push('\n');
    }
    for (title, name) in [("constraint", "constraints"), ("index", "indexes")] {
        let rows: Vec<[String; 3]> = list(name).iter().map(part).collect();
        if !rows.is_empty() {
            text.push_str(&table([title, "columns", "definition"], rows));
            text.push('\n');
        }
    }
    if let Some(definition) = object["definition"].as_str() {
        text.push_str(definition);
        text.push('\n');
    }
    text
}

fn column(column: &Json) -> [String; 5] {
    let first = ["default_value", "generated", "identity"].iter().map(|name| plain(&column[*name]));
    [
        plain(&column["name"]),
        plain(&column["data_type"]),
        if column["nullable"] == json!(true) { "yes".to_owned() } else { "no".to_owned() },
        first.filter(|value| !value.is_empty()).collect::<Vec<_>>().join(" "),
        plain(&column["comment"]),
    ]
}

fn part(part: &Json) -> [String; 3] {
    [plain(&part["name"]), plain(&part["columns"]), plain(&part["definition"])]
}
