//! Facts about the server and the session's role, each in one statement.
//! Owns what is asked about rights, version and sessions; must not know what a run makes of it.

use pursight_schemas::{Connections, Problem};

use super::rows::{Rows, field, list, only, text};
use super::types::Visibility;

const VISIBILITY: &str = include_str!("sql/visibility.sql");
const FACTS: &str = include_str!("sql/facts.sql");
const DATABASES: &str = "SELECT datname::text FROM pg_database WHERE datallowconn AND NOT datistemplate \
    AND has_database_privilege(oid, 'CONNECT') ORDER BY datname";

const SCHEMAS: &str = "SELECT nspname::text FROM pg_namespace ORDER BY nspname";

/// What a server says about itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ServerFacts {
    /// As the server prints it.
    pub version: String,
    /// As a number: 150018 is 15.18.
    pub version_num: i32,
    /// In recovery.
    pub standby: bool,
    /// Of the cluster, where the role may read it.
    pub system_identifier: Option<String>,
    /// Sessions of clients, and those allowed to ordinary roles.
    pub connections: Connections,
}

/// What the session's role may see, and where.
pub async fn visibility(rows: &dyn Rows) -> Result<Visibility, Problem> {
    let row = only(rows.query(VISIBILITY, &[]).await?)?;
    Ok(Visibility {
        role: text(&row, 0)?.unwrap_or_default(),
        superuser: field(&row, 1)?,
        memberships: list(&row, 2)?,
        closed_schemas: list(&row, 3)?,
        server_identity: text(&row, 4)?.unwrap_or_default(),
        standby: field(&row, 5)?,
    })
}

/// Version, replication role, sessions.
pub async fn facts(rows: &dyn Rows) -> Result<ServerFacts, Problem> {
    let row = only(rows.query(FACTS, &[]).await?)?;
    Ok(ServerFacts {
        version: text(&row, 0)?.unwrap_or_default(),
        version_num: field(&row, 1)?,
        standby: field(&row, 2)?,
        system_identifier: text(&row, 3)?,
        connections: Connections { used: field(&row, 4)?, max: field(&row, 5)? },
    })
}

/// The databases of the server that the role may open, for the option `databases = *`.
pub async fn databases(rows: &dyn Rows) -> Result<Vec<String>, Problem> {
    rows.query(DATABASES, &[]).await?.iter().map(|row| Ok(text(row, 0)?.unwrap_or_default())).collect()
}

/// The schemas that exist, whether the role may use them or not.
pub async fn schemas(rows: &dyn Rows) -> Result<Vec<String>, Problem> {
    rows.query(SCHEMAS, &[]).await?.iter().map(|row| Ok(text(row, 0)?.unwrap_or_default())).collect()
}
