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

/// A function in FROM is checked when the plan starts, even where CASE would never reach it: hence two statements.
const MAY_IDENTIFY: &str = "SELECT has_function_privilege('pg_control_system()', 'EXECUTE')";
const IDENTIFIER: &str = "SELECT system_identifier::text FROM pg_control_system()";

/// What a server says about itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ServerFacts {
    /// As the server prints it.
    pub version: String,
    /// As a number: 150018 is 15.18.
    pub version_num: i32,
    /// In recovery.
    pub standby: bool,
    /// Sessions of clients, and those allowed to ordinary roles.
    pub connections: Connections,
}

/// What the session's role may see, and where.
pub async fn visibility(rows: &dyn Rows) -> Result<Visibility, Problem> {
    let row = only(rows.query(VISIBILITY, &[]).await?)?;
    let server = match system_identifier(rows).await? {
        Some(identifier) => identifier,
        None => text(&row, 4)?.unwrap_or_default(),
    };
    Ok(Visibility {
        role: text(&row, 0)?.unwrap_or_default(),
        superuser: field(&row, 1)?,
        memberships: list(&row, 2)?,
        closed_schemas: list(&row, 3)?,
        server_identity: format!("{server}/{}", text(&row, 5)?.unwrap_or_default()),
        standby: field(&row, 6)?,
    })
}

/// Version, replication role, sessions.
pub async fn facts(rows: &dyn Rows) -> Result<ServerFacts, Problem> {
    let row = only(rows.query(FACTS, &[]).await?)?;
    Ok(ServerFacts {
        version: text(&row, 0)?.unwrap_or_default(),
        version_num: field(&row, 1)?,
        standby: field(&row, 2)?,
        connections: Connections { used: field(&row, 3)?, max: field(&row, 4)? },
    })
}

/// The cluster's identifier, which a restored or promoted copy shares and no other server has; none where the role may
/// not read it.
pub async fn system_identifier(rows: &dyn Rows) -> Result<Option<String>, Problem> {
    if !field(&only(rows.query(MAY_IDENTIFY, &[]).await?)?, 0)? {
        return Ok(None);
    }
    text(&only(rows.query(IDENTIFIER, &[]).await?)?, 0)
}

/// The databases of the server that the role may open, for the option `databases = *`.
pub async fn databases(rows: &dyn Rows) -> Result<Vec<String>, Problem> {
    rows.query(DATABASES, &[]).await?.iter().map(|row| Ok(text(row, 0)?.unwrap_or_default())).collect()
}

/// The schemas that exist, whether the role may use them or not.
pub async fn schemas(rows: &dyn Rows) -> Result<Vec<String>, Problem> {
    rows.query(SCHEMAS, &[]).await?.iter().map(|row| Ok(text(row, 0)?.unwrap_or_default())).collect()
}
