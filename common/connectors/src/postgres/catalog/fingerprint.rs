//! The fingerprint: one statement that tells whether anything was defined since.
//! Owns what counts as a difference; must not know what was there before. It looks at the whole database, whatever the
//! scope: a change outside of it costs a discovery that finds nothing, and a renamed schema, role or type is never missed.
//! Take it before the listing, so that what changes in between is found next time.

use pursight_schemas::Problem;
use pursight_schemas::hash::Canonical;
use tokio_postgres::Row;

use super::rows::{Rows, field, text};
use super::types::Fingerprint;

const FINGERPRINT: &str = include_str!("sql/fingerprint.sql");

/// Hashes the catalog rows of the database.
pub async fn fingerprint(rows: &dyn Rows) -> Result<Fingerprint, Problem> {
    let mut canonical = Canonical::new();
    let mut take = |row: &Row| {
        canonical.optional(text(row, 0)?.as_deref());
        canonical.text(&field::<i64>(row, 1)?.to_string()).optional(text(row, 2)?.as_deref());
        Ok(())
    };
    rows.each(FINGERPRINT, &[], &mut take).await?;
    Ok(Fingerprint(canonical.sha256()))
}
