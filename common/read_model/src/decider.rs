//! What the registry asks before it decides: names, sources, receipts and runs of one batch, and how far the read model
//! has folded, all from one snapshot because it is one statement. Knows nothing of commands or of what is decided.

use std::collections::BTreeMap;

use pursight_schemas::{DataSourceSpec, Topic};
use serde::Deserialize;
use sqlx::types::Json;
use uuid::Uuid;

use crate::error::ReadModelError;
use crate::model::ReadModel;

/// What is to be looked up. Every key names its tenant: a partition holds many.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    /// Partition of the source and of the outcome topic.
    pub partition: i32,
    /// Folded names that may be claimed. Those of [`Query::sources`] are looked up unasked.
    pub names: Vec<(String, String)>,
    /// Sources.
    pub sources: Vec<(String, Uuid)>,
    /// Commands that may have been decided before.
    pub commands: Vec<(String, Uuid)>,
    /// Runs, by their own ids.
    pub runs: Vec<(String, Uuid)>,
    /// Tenants whose live sources are counted.
    pub tenants: Vec<String>,
    /// Live sources by what they are; answered as [`Snapshot::sources`].
    pub filter: Option<Filter>,
}

/// Chooses live sources of one tenant; an empty part does not restrict.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Whose.
    pub tenant: String,
    /// Symbols of source types.
    pub types: Vec<String>,
    /// Symbols of environments.
    pub environments: Vec<String>,
    /// At least one of these tags.
    pub tags: Vec<String>,
    /// `LIKE` pattern over the folded name, `\` escapes.
    pub name_like: Option<String>,
    /// Most rows.
    pub limit: i64,
}

/// A source as it stands in the read model.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct SourceRow {
    /// Whose.
    pub tenant_id: String,
    /// Which.
    pub source_id: Uuid,
    /// `sequence` of its last event.
    pub version: i64,
    /// `ACTIVE`, `PAUSED`, `DELETED` or `PURGED`.
    pub state: String,
    /// Folded name; of a deleted source the one it had.
    pub name_key: String,
    /// Everything configured.
    pub spec: DataSourceSpec,
}

/// Who has a name.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct NameRow {
    /// Whose.
    pub tenant_id: String,
    /// The folded name that was asked for.
    pub name_key: String,
    /// Its live source; `None`: it is free.
    pub source_id: Option<Uuid>,
}

/// What became of a command so far.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct CommandRow {
    /// Whose.
    pub tenant_id: String,
    /// Which.
    pub command_id: Uuid,
    /// Hash of its payload.
    pub payload_sha256: Option<String>,
}

/// A run that some command asked for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct RunRow {
    /// Whose.
    pub tenant_id: String,
    /// Which.
    pub run_id: Uuid,
    /// The command that asked for it; for all but follow-up runs the run has its id.
    pub command_id: Uuid,
    /// Avro full name of that command.
    pub command_type: String,
    /// It was refused and never began.
    pub rejected: bool,
    /// It has come to its end.
    pub ended: bool,
}

/// The answer, all of one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Next offset of the source topic's partition that will be folded; 0 if none was.
    pub source_next: i64,
    /// The same of the outcome topic's partition.
    pub outcome_next: i64,
    /// One row for each name asked for.
    pub names: Vec<NameRow>,
    /// Sources that exist.
    pub sources: Vec<SourceRow>,
    /// Commands that have an outcome or were accepted.
    pub commands: Vec<CommandRow>,
    /// Runs that are known.
    pub runs: Vec<RunRow>,
    /// Live sources by tenant.
    pub live: BTreeMap<String, i64>,
}

#[derive(sqlx::FromRow)]
struct Answer {
    source_next: i64,
    outcome_next: i64,
    names: Json<Vec<NameRow>>,
    sources: Json<Vec<SourceRow>>,
    commands: Json<Vec<CommandRow>>,
    runs: Json<Vec<RunRow>>,
    live: Json<BTreeMap<String, i64>>,
}

/// One statement, hence one snapshot: a name that is free in it was free at exactly the positions that it returns.
const LOOK_UP: &str = r"
WITH by_id AS (
    SELECT s.tenant_id, s.source_id, s.version, s.state, s.name_key, s.spec
    FROM UNNEST($4::text[], $5::uuid[]) AS wanted (tenant_id, source_id)
    JOIN data_source s USING (tenant_id, source_id)
), by_filter AS (
    SELECT s.tenant_id, s.source_id, s.version, s.state, s.name_key, s.spec
    FROM data_source s
    WHERE s.tenant_id = $13
      AND s.state IN ('ACTIVE', 'PAUSED')
      AND (CARDINALITY($14::text[]) = 0 OR s.source_type = ANY ($14))
      AND (CARDINALITY($15::text[]) = 0 OR s.environment = ANY ($15))
      AND (CARDINALITY($16::text[]) = 0 OR s.tags && $16)
      AND ($17::text IS NULL OR s.name_key LIKE $17 ESCAPE '\')
    ORDER BY s.source_id
    LIMIT $18
), found AS (
    SELECT * FROM by_id UNION SELECT * FROM by_filter
), wanted_name AS (
    SELECT tenant_id, name_key FROM UNNEST($6::text[], $7::text[]) AS wanted (tenant_id, name_key)
    UNION
    SELECT tenant_id, name_key FROM by_id
), taken AS (
    SELECT n.tenant_id, n.name_key, s.source_id
    FROM wanted_name n
    LEFT JOIN data_source s
        ON s.tenant_id = n.tenant_id AND s.name_key = n.name_key AND s.state IN ('ACTIVE', 'PAUSED')
), decided AS (
    SELECT c.tenant_id, c.command_id, c.payload_sha256
    FROM UNNEST($8::text[], $9::uuid[]) AS wanted (tenant_id, command_id)
    JOIN command c USING (tenant_id, command_id)
), wanted_run AS (
    SELECT DISTINCT tenant_id, run_id FROM UNNEST($10::text[], $11::uuid[]) AS wanted (tenant_id, run_id)
), known_run AS (
    SELECT w.tenant_id, w.run_id, c.command_id, c.command_type,
           c.state = 'REJECTED' AS rejected, c.ended_at IS NOT NULL AS ended
    FROM wanted_run w
    JOIN command c ON c.tenant_id = w.tenant_id AND c.command_id = w.run_id
    UNION ALL
    -- A follow-up run: its command ended when it was decided, the run itself when its own last event said so.
    SELECT w.tenant_id, w.run_id, c.command_id, c.command_type, FALSE,
           EXISTS (SELECT FROM run r
                   WHERE r.tenant_id = w.tenant_id AND r.run_id = w.run_id AND r.ended_at IS NOT NULL)
    FROM wanted_run w
    JOIN command c ON c.tenant_id = w.tenant_id AND c.run_ids @> ARRAY[w.run_id] AND c.command_id <> w.run_id
    WHERE c.command_type = 'io.pursight.command.CreateDataSource'
), live AS (
    SELECT s.tenant_id, COUNT(*) AS sources
    FROM data_source s
    WHERE s.tenant_id = ANY ($12) AND s.state IN ('ACTIVE', 'PAUSED')
    GROUP BY s.tenant_id
)
SELECT
    COALESCE((SELECT next_offset FROM projection_position WHERE topic = $1 AND partition = $3), 0) AS source_next,
    COALESCE((SELECT next_offset FROM projection_position WHERE topic = $2 AND partition = $3), 0) AS outcome_next,
    COALESCE((SELECT JSONB_AGG(TO_JSONB(taken)) FROM taken), '[]') AS names,
    COALESCE((SELECT JSONB_AGG(TO_JSONB(found)) FROM found), '[]') AS sources,
    COALESCE((SELECT JSONB_AGG(TO_JSONB(decided)) FROM decided), '[]') AS commands,
    COALESCE((SELECT JSONB_AGG(TO_JSONB(known_run)) FROM known_run), '[]') AS runs,
    COALESCE((SELECT JSONB_OBJECT_AGG(tenant_id, sources) FROM live), '{}') AS live
";

fn split<T: Clone>(pairs: &[(String, T)]) -> (Vec<String>, Vec<T>) {
    pairs.iter().cloned().unzip()
}

impl ReadModel {
    /// Looks up everything that a batch may need.
    ///
    /// # Errors
    /// The server does not answer, or what it holds cannot be read.
    pub async fn look_up(&self, query: &Query) -> Result<Snapshot, ReadModelError> {
        const DURING: &str = "looking up what a batch of commands needs";
        let mut transaction = self.begin().await?;
        let answer = ask(query).fetch_one(&mut *transaction).await.map_err(ReadModelError::during(DURING))?;
        transaction.commit().await.map_err(ReadModelError::during(DURING))?;
        Ok(Snapshot {
            source_next: answer.source_next,
            outcome_next: answer.outcome_next,
            names: answer.names.0,
            sources: answer.sources.0,
            commands: answer.commands.0,
            runs: answer.runs.0,
            live: answer.live.0,
        })
    }
}

type Statement<'q> = sqlx::query::QueryAs<'q, sqlx::Postgres, Answer, sqlx::postgres::PgArguments>;

fn ask(query: &Query) -> Statement<'static> {
    let (source_tenants, source_ids) = split(&query.sources);
    let (name_tenants, name_keys) = split(&query.names);
    let (command_tenants, command_ids) = split(&query.commands);
    let (run_tenants, run_ids) = split(&query.runs);
    let filter = query.filter.clone().unwrap_or_default();
    sqlx::query_as(LOOK_UP)
        .bind(Topic::Source.short())
        .bind(Topic::Outcome.short())
        .bind(query.partition)
        .bind(source_tenants)
        .bind(source_ids)
        .bind(name_tenants)
        .bind(name_keys)
        .bind(command_tenants)
        .bind(command_ids)
        .bind(run_tenants)
        .bind(run_ids)
        .bind(query.tenants.clone())
        // Without a filter no tenant has this name.
        .bind(query.filter.as_ref().map(|filter| filter.tenant.clone()))
        .bind(filter.types)
        .bind(filter.environments)
        .bind(filter.tags)
        .bind(filter.name_like)
        .bind(filter.limit)
}
