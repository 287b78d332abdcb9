//! The listing: what exists, in one statement and so in one snapshot.
//! Owns which objects are objects of their own; must not know their details. What is left out, and why, stands at the
//! head of `sql/listing.sql`.

use pursight_schemas::{ObjectKind, Problem, ScopeFilter};
use tokio_postgres::Row;

use super::caps::identifier;
use super::glob;
use super::rows::{Rows, field, only, text};
use super::types::{Listed, Listing};

const LISTING: &str = include_str!("sql/listing.sql");
const DATABASE: &str = "SELECT current_database()::text";

/// Everything in scope, at most `cap` objects ([`OBJECTS`](super::caps::OBJECTS) for a run).
pub async fn listing(rows: &dyn Rows, scope: &ScopeFilter, cap: usize) -> Result<Listing, Problem> {
    let catalog = text(&only(rows.query(DATABASE, &[]).await?)?, 0)?.unwrap_or_default();
    let (include, exclude) = (glob::like(&scope.include), glob::like(&scope.exclude));
    // One row more than wanted tells whether there are more.
    let limit = i64::try_from(cap).unwrap_or(i64::MAX).saturating_add(1);
    let mut objects = Vec::new();
    let mut take = |row: &Row| listed(row).map(|object| objects.push(object));
    rows.each(LISTING, &[&include, &exclude, &limit], &mut take).await?;
    let complete = objects.len() <= cap;
    objects.truncate(cap);
    Ok(Listing { catalog, objects, complete })
}

fn listed(row: &Row) -> Result<Listed, Problem> {
    let parent: Option<u32> = field(row, 4)?;
    Ok(Listed {
        kind: ObjectKind::from_symbol(&text(row, 0)?.unwrap_or_default()),
        schema: identifier(text(row, 1)?.unwrap_or_default()),
        name: identifier(text(row, 2)?.unwrap_or_default()),
        native_id: field::<u32>(row, 3)?.to_string(),
        parent: parent.map(|oid| oid.to_string()),
    })
}
