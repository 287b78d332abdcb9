//! Figures of a PostgreSQL database: sizes, rows, counters, query time.
//! Owns the statements (constant text in `statistics/`, set-based) and how often a measurement is repeated; must not know
//! what was measured before, nor how a session came to be.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use pursight_schemas::{ObjectKind, Problem, ScopeFilter};

use super::catalog::rows::{field, only, text};
use super::catalog::{Rows, caps, glob};

const FIGURES: &str = include_str!("statistics/figures.sql");
const DATABASE: &str = include_str!("statistics/database.sql");
const EXACT_SIZES: &str = include_str!("statistics/exact_sizes.sql");
const EXACT_ROWS: &str = include_str!("statistics/exact_rows.sql");
const LIMIT: &str = "SELECT set_config('statement_timeout', $1::text, false)";
/// A fixed question to the catalog, whose time is compared from run to run.
const PROBE: &str =
    "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r'";

/// What the catalog says of one object.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ObjectFigures {
    /// Table, view, materialised view or foreign table.
    pub kind: ObjectKind,
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// The oid.
    pub oid: u32,
    /// With indexes, toast and partitions.
    pub size_bytes: Option<i64>,
    /// Live rows.
    pub rows: Option<i64>,
}

/// What a database says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DatabaseFigures {
    /// Its name.
    pub name: String,
    /// Its oid.
    pub oid: i64,
    /// Exact, where the role may ask.
    pub size_bytes: Option<i64>,
    /// Blocks found in the cache since the reset.
    pub blocks_hit: i64,
    /// Blocks read since the reset.
    pub blocks_read: i64,
    /// When the counters were reset, microseconds since 1970; 0: never.
    pub reset_at: i64,
    /// When the server started, microseconds since 1970.
    pub started_at: i64,
}

/// Sizes and rows of everything in scope, by estimates; `false` when there is more than the cap.
///
/// # Errors
/// What the server said; so for all of these.
pub async fn objects(rows: &dyn Rows, scope: &ScopeFilter) -> Result<(Vec<ObjectFigures>, bool), Problem> {
    let (include, exclude) = (glob::like(&scope.include), glob::like(&scope.exclude));
    // One row more than wanted tells whether there are more.
    let limit = i64::try_from(caps::OBJECTS).unwrap_or(i64::MAX).saturating_add(1);
    let found = rows.query(FIGURES, &[&include, &exclude, &limit]).await?;
    let complete = found.len() <= caps::OBJECTS;
    let mut objects = Vec::with_capacity(found.len().min(caps::OBJECTS));
    for row in found.iter().take(caps::OBJECTS) {
        objects.push(ObjectFigures {
            kind: ObjectKind::from_symbol(&text(row, 0)?.unwrap_or_default()),
            schema: text(row, 1)?.unwrap_or_default(),
            name: text(row, 2)?.unwrap_or_default(),
            oid: field(row, 3)?,
            size_bytes: field(row, 4)?,
            rows: field(row, 5)?,
        });
    }
    Ok((objects, complete))
}

/// Size and counters of the database that is open.
pub async fn database(rows: &dyn Rows) -> Result<DatabaseFigures, Problem> {
    let row = only(rows.query(DATABASE, &[]).await?)?;
    Ok(DatabaseFigures {
        name: text(&row, 0)?.unwrap_or_default(),
        oid: field(&row, 1)?,
        size_bytes: field(&row, 2)?,
        blocks_hit: field(&row, 3)?,
        blocks_read: field(&row, 4)?,
        reset_at: field(&row, 5)?,
        started_at: field(&row, 6)?,
    })
}

/// Times of `samples` runs of one catalog query, after one that warms up.
pub async fn query_times(rows: &dyn Rows, samples: usize) -> Result<Vec<Duration>, Problem> {
    rows.query(PROBE, &[]).await?;
    let mut times = Vec::with_capacity(samples);
    for _ in 0..samples {
        let begun = Instant::now();
        rows.query(PROBE, &[]).await?;
        times.push(begun.elapsed());
    }
    Ok(times)
}

/// Exact sizes by oid. Relations without storage, and those that vanished, are left out.
pub async fn exact_sizes(rows: &dyn Rows, oids: &[u32]) -> Result<HashMap<u32, i64>, Problem> {
    let found = rows.query(EXACT_SIZES, &[&oids]).await?;
    let mut sizes = HashMap::with_capacity(found.len());
    for row in &found {
        if let Some(size) = field(row, 1)? {
            sizes.insert(field(row, 0)?, size);
        }
    }
    Ok(sizes)
}

/// Counted rows of one table; `None` when it vanished or has no rows of its own.
pub async fn exact_rows(rows: &dyn Rows, oid: u32) -> Result<Option<i64>, Problem> {
    let found = rows.query(EXACT_ROWS, &[&oid]).await?;
    if let Some(row) = found.first() { field(row, 0) } else { Ok(None) }
}

/// Lets every statement that follows run for so long at most.
pub async fn limit_statements(rows: &dyn Rows, most: Duration) -> Result<(), Problem> {
    rows.query(LIMIT, &[&most.as_millis().to_string()]).await.map(drop)
}
