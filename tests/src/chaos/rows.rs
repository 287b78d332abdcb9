//! The read model as a list of rows, each with the hash of all that is in it.

use anyhow::{Context as _, Result};

use crate::database::Sql;
use crate::history::RowHash;

/// Not made by the fold.
const NOT_FOLDED: &str = "'_sqlx_migrations', 'reader_login'";

/// Every row of every folded table. Of a position, how often it was taken over and the log's own ids are left out: they
/// say nothing about the fold.
///
/// # Errors
/// The database says no.
pub fn rows(sql: &Sql) -> Result<Vec<RowHash>> {
    let tables = sql.rows(&format!(
        "SELECT c.relname AS name, array_agg(a.attname::TEXT ORDER BY array_position(i.indkey::INT2[], a.attnum)) AS key
        FROM pg_class c
        JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (i.indkey)
        WHERE c.relnamespace = 'pursight'::regnamespace AND c.relkind = 'r' AND c.relname NOT IN ({NOT_FOLDED})
        GROUP BY c.relname ORDER BY c.relname"
    ))?;
    let mut all = Vec::new();
    for table in &tables {
        let name = table["name"].as_str().context("a table's name")?;
        let key = table["key"].as_array().context("a primary key")?;
        let key: Vec<&str> = key.iter().filter_map(|column| column.as_str()).collect();
        let pairs: Vec<String> = key.iter().map(|column| format!("'{column}', t.{column}")).collect();
        let left_out = if name == "projection_position" { " - '{epoch,cluster_id,topic_id}'::TEXT[]" } else { "" };
        let found = sql.rows(&format!(
            "SELECT jsonb_build_object({})::TEXT AS id,
                encode(sha256(convert_to((to_jsonb(t){left_out})::TEXT, 'UTF8')), 'hex') AS hash
            FROM pursight.{name} t ORDER BY {}",
            pairs.join(", "),
            key.join(", "),
        ))?;
        for row in &found {
            let text = |name: &str| row[name].as_str().map(str::to_owned).context("a text");
            all.push(RowHash { table: name.to_owned(), id: text("id")?, hash: text("hash")? });
        }
    }
    Ok(all)
}
