//! Migrations, roles and policies: everything that makes a schema ready. Runs as the owner, never behind a pooler.

use sqlx::migrate::{Migrate, Migrator};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection, Row};

use crate::connect;
use crate::error::ReadModelError;
use crate::model::ReadModel;

static MIGRATOR: Migrator = sqlx::migrate!("./migrations");
/// Role of the gateway and of the command line: its tenant is the setting `pursight.tenant`.
pub const GATEWAY: &str = "pursight_gateway";
/// Role of direct logins: their tenants are in `reader_login`.
pub const READER: &str = "pursight_reader";

impl ReadModel {
    /// Makes the schema, the roles, the tables, the policies. May be repeated.
    ///
    /// # Errors
    /// Missing rights (with the statements that give them), or a migration that fails.
    pub async fn migrate(&self) -> Result<(), ReadModelError> {
        let during = ReadModelError::during;
        // A connection of its own: an index may take longer to build than any other statement may take.
        let (options, _) = connect::options(&self.options)?;
        let mut connection =
            PgConnection::connect_with(&options).await.map_err(during("connecting to the read model"))?;
        for role in [GATEWAY, READER] {
            make_role(&mut connection, role).await?;
        }
        let create =
            format!("SET statement_timeout = 0; CREATE SCHEMA IF NOT EXISTS {0}; SET search_path = {0}", self.schema);
        sqlx::raw_sql(AssertSqlSafe(create)).execute(&mut connection).await.map_err(during("making the schema"))?;
        let run = MIGRATOR.run_direct(None, &mut connection, false).await;
        run.map_err(|error| ReadModelError::Migrate(Box::new(error)))?;
        let secure = sqlx::raw_sql(include_str!("secure.sql")).execute(&mut connection).await;
        secure.map_err(during("laying policies on the tables"))?;
        connection.close().await.map_err(during("ending the migration"))
    }

    /// Whether this schema is exactly the one that this program was built for.
    ///
    /// # Errors
    /// [`ReadModelError::NotMigrated`] with what differs, or the server does not answer.
    pub async fn check_migrations(&self) -> Result<(), ReadModelError> {
        let mut transaction = self.begin().await?;
        let found = sqlx::query("SELECT to_regclass('_sqlx_migrations') IS NOT NULL")
            .fetch_one(&mut *transaction)
            .await
            .and_then(|row| row.try_get::<bool, _>(0))
            .map_err(ReadModelError::during("looking for the migrations"))?;
        if !found {
            return Err(ReadModelError::NotMigrated(format!("schema {} has no tables", self.schema)));
        }
        let applied = transaction.list_applied_migrations(&MIGRATOR.table_name).await;
        let applied = applied.map_err(|error| ReadModelError::Migrate(Box::new(error)))?;
        let wanted: Vec<_> = MIGRATOR.iter().map(|one| (one.version, one.checksum.to_vec())).collect();
        let applied: Vec<_> = applied.into_iter().map(|one| (one.version, one.checksum.to_vec())).collect();
        if wanted == applied {
            return Ok(());
        }
        let missing = wanted.iter().filter(|one| !applied.contains(one)).map(|one| one.0.to_string());
        let foreign = applied.iter().filter(|one| !wanted.contains(one)).map(|one| one.0.to_string());
        let (missing, foreign): (Vec<_>, Vec<_>) = (missing.collect(), foreign.collect());
        Err(ReadModelError::NotMigrated(format!(
            "not applied or changed: [{}], unknown to this program: [{}]",
            missing.join(", "),
            foreign.join(", ")
        )))
    }
}

/// Makes a role that cannot log in, and makes us a member, so that we may act as it. Roles belong to the whole cluster:
/// somebody else may be doing the same at this moment, so what counts is the result, and that is tried: what being a
/// member is worth differs between versions of the server.
async fn make_role(connection: &mut PgConnection, role: &'static str) -> Result<(), ReadModelError> {
    let text = format!(
        "DO $$ BEGIN
            IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{role}') THEN CREATE ROLE {role} NOLOGIN; END IF;
         EXCEPTION WHEN duplicate_object OR unique_violation OR insufficient_privilege THEN NULL; END $$;
         DO $$ BEGIN GRANT {role} TO CURRENT_USER; EXCEPTION WHEN OTHERS THEN NULL; END $$"
    );
    let during = ReadModelError::during;
    for _ in 0..5 {
        if may_act_as(connection, role).await? {
            return Ok(());
        }
        sqlx::raw_sql(AssertSqlSafe(text.as_str()))
            .execute(&mut *connection)
            .await
            .map_err(during("making the readers' roles"))?;
    }
    if may_act_as(connection, role).await? {
        return Ok(());
    }
    let user: String = sqlx::query_scalar("SELECT quote_ident(CURRENT_USER)")
        .fetch_one(connection)
        .await
        .map_err(during("asking who we are"))?;
    let remedy = format!("CREATE ROLE {role} NOLOGIN; GRANT {role} TO {user};");
    Err(ReadModelError::Role { role, remedy })
}

async fn may_act_as(connection: &mut PgConnection, role: &str) -> Result<bool, ReadModelError> {
    let during = ReadModelError::during;
    let mut transaction = connection.begin().await.map_err(during("trying a reader's role"))?;
    let acted = sqlx::raw_sql(AssertSqlSafe(format!("SET LOCAL ROLE {role}"))).execute(&mut *transaction).await;
    let acted = match acted {
        Ok(_) => true,
        Err(sqlx::Error::Database(_)) => false,
        Err(error) => return Err(during("trying a reader's role")(error)),
    };
    transaction.rollback().await.map_err(during("trying a reader's role"))?;
    Ok(acted)
}
