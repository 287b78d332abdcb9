//! What a customer's server may hold: texts of ten megabytes, names that are meant to break something. Cut and marked, or
//! stored as they are; harmless in logs and on terminals.

use anyhow::{Context as _, Result, ensure};
use pursight_tests::{Customer, System};
use serde_json::{Value as Json, json};

use super::Stage;

/// Names, each with something that breaks those who paste texts together.
const NAMES: [&str; 8] = [
    "quote\"d 'n' \\back",
    "new\nline\r\n{\"level\":\"error\",\"forged\":true}",
    "\u{202e}thgir ot tfel\u{2066}",
    "<script>alert('forged')</script>",
    "'; DROP TABLE pursight.run; --",
    "\u{1b}[2J\u{1b}]0;forged\u{7}",
    "%s%n {0} ${jndi:ldap://forged}",
    "a.b.c",
];

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

#[test]
fn hostile_names_and_endless_texts_are_stored_or_cut_and_harmless_in_logs_and_on_terminals() -> Result<()> {
    let customer = Customer::create()?;
    customer.sql.run("CREATE SCHEMA shop")?;
    for text in NAMES {
        let name = quoted(text);
        customer.sql.run(&format!(
            "CREATE TABLE shop.{name}({name} int CONSTRAINT {name} CHECK ({name} > 0)); CREATE SCHEMA {name};
             COMMENT ON TABLE shop.{name} IS $text${text}$text$"
        ))?;
    }
    // Ten megabytes in every place that takes a text.
    customer.sql.run(
        "CREATE TABLE shop.large(id int, plain text);
         DO $$ DECLARE body text := repeat('forged-', 1500000); BEGIN
           EXECUTE format('COMMENT ON TABLE shop.large IS %L', body);
           EXECUTE format('COMMENT ON COLUMN shop.large.id IS %L', body);
           EXECUTE format('ALTER TABLE shop.large ALTER COLUMN plain SET DEFAULT %L', body);
           EXECUTE format('ALTER TABLE shop.large ADD CONSTRAINT long CHECK (plain <> %L)', body);
           EXECUTE format('CREATE INDEX long ON shop.large(id) WHERE plain <> %L', left(body, 100000));
           EXECUTE format('CREATE VIEW shop.view AS SELECT %L::text AS body', body);
           EXECUTE format('CREATE FUNCTION shop.body() RETURNS text LANGUAGE sql AS %L', 'SELECT ''' || body || '''');
           EXECUTE format('CREATE DOMAIN shop.domain AS text DEFAULT %L CONSTRAINT long CHECK (VALUE <> %L)', body, body);
         END $$",
    )?;
    customer.grant_all()?;
    let mut system = System::bare()?;
    system.settings.insert("PURSIGHT_LOG".to_owned(), "info,pursight=debug,pursight_engine=trace".to_owned());
    system.run_workers()?;
    let stage = Stage::over(system, &customer)?;
    let source = stage.source(customer.port, 0)?;
    let result = stage.discover(source)?;
    ensure!(result["unreadable"].as_str().unwrap_or("0") == "0", "{result}");

    for name in NAMES {
        let row = stage.system.sql.row(&format!(
            "SELECT o.comment, c.name AS column, k.name AS constraint FROM pursight.schema_object o
             JOIN pursight.schema_column c USING (tenant_id, source_id, object_id) JOIN pursight.schema_constraint k USING (tenant_id, source_id, object_id)
             WHERE o.kind = 'TABLE' AND o.name = $text${name}$text$"
        ));
        let row = row.with_context(|| format!("{name:?}"))?;
        ensure!(
            row["comment"] == json!(name) && row["column"] == json!(name) && row["constraint"] == json!(name),
            "{row}"
        );
    }
    let cut = stage.system.sql.rows(
        "SELECT name, truncated, length(comment) AS comment, length(definition) AS definition FROM pursight.schema_object WHERE truncated <> '{}' ORDER BY name",
    )?;
    ensure!(cut.len() == 4, "{}", json!(cut));
    for row in &cut {
        let longest = ["comment", "definition"].map(|field| row[field].as_i64().unwrap_or_default());
        ensure!(longest.iter().all(|length| *length <= 64 * 1024), "{row}");
    }
    let large = cut.iter().find(|row| row["name"] == "large").context("the large table")?;
    for place in ["comment", "columns/id/comment", "columns/plain/default", "constraints/long", "indexes/long"] {
        let marked = large["truncated"].as_array().context("places")?;
        ensure!(
            marked.iter().any(|mark| mark.as_str().unwrap_or_default().starts_with(place)),
            "{place} is not marked: {large}"
        );
    }

    // Once more, and after a change far behind the cut.
    let again = stage.discover(source)?;
    ensure!(again["changed"].as_str().unwrap_or("0") == "0", "{again}");
    customer.sql.run(
        "DO $$ BEGIN EXECUTE format('COMMENT ON TABLE shop.large IS %L', repeat('forged-', 1500000) || 'x'); END $$",
    )?;
    let changed = stage.discover(source)?;
    println!("a change behind the cut: {changed}");
    harmless(&stage)
}

/// No line of a log and no cell of a table does what the names want.
fn harmless(stage: &Stage) -> Result<()> {
    let log = stage.system.log()?;
    ensure!(!log.contains("forged-forged-"), "texts of the customer's are in the log");
    for line in log.lines() {
        let parsed: Json = serde_json::from_str(line).with_context(|| format!("no JSON: {line:?}"))?;
        ensure!(parsed.get("forged").is_none(), "{line}");
        ensure!(!line.chars().any(is_dangerous), "{line:?}");
    }
    for words in [
        ["source", "objects", "at"].as_slice(),
        &["source", "changes", "at"],
        &["source", "history", "at"],
        &["source", "show", "at"],
    ] {
        let row = stage.system.sql.row("SELECT name FROM pursight.data_source")?;
        let name = row["name"].as_str().context("a name")?;
        let words: Vec<&str> = words.iter().map(|word| if *word == "at" { name } else { word }).collect();
        let answer = stage.system.call(&words)?;
        ensure!(answer.code == 0, "{answer:?}");
        let dangerous: String = answer.out.chars().filter(|c| is_dangerous(*c)).collect();
        ensure!(dangerous.is_empty(), "{words:?} prints {dangerous:?}");
        let json = stage.system.call(&[words.as_slice(), &["--json"]].concat())?;
        json.json().with_context(|| format!("{words:?}"))?;
    }
    let shown = stage.system.sql.row("SELECT count(*) AS n FROM pursight.schema_object WHERE kind = 'TABLE'")?;
    ensure!(shown["n"].as_u64() == Some(NAMES.len() as u64 + 1), "{shown}");
    Ok(())
}

/// What moves a terminal's cursor, or turns the direction of a line.
fn is_dangerous(c: char) -> bool {
    (c.is_control() && c != '\n' && c != '\t')
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
