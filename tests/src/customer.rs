//! A database of a customer, on the real server with TLS and SCRAM, and a role with read rights only.

use anyhow::Result;
use uuid::Uuid;

use crate::database::{Sql, with_database};
use crate::setting;

/// One database and its reader; both are gone with it.
pub struct Customer {
    /// Host as the product reaches it.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Name of the database.
    pub database: String,
    /// Role that the product logs in as.
    pub user: String,
    /// Its password.
    pub password: String,
    admin: Sql,
    /// The owner's connection to the database.
    pub sql: Sql,
}

impl Customer {
    /// Makes an empty database and a role that may read what it is granted.
    ///
    /// # Errors
    /// The server is not there.
    pub fn create() -> Result<Self> {
        let url = setting::get("CUSTOMER_ADMIN")?;
        let admin = Sql::open(&url)?;
        let mark = Uuid::new_v4().simple().to_string();
        let (database, user, password) =
            (format!("customer_{mark}"), format!("reader_{mark}"), format!("canary-{mark}"));
        admin.run(&format!("CREATE DATABASE {database}"))?;
        admin.run(&format!("CREATE ROLE {user} LOGIN PASSWORD '{password}'; GRANT pg_read_all_stats TO {user}"))?;
        let sql = Sql::open(&with_database(&url, &database)?)?;
        let (host, port) = (setting::get("CUSTOMER_HOST")?, setting::get("CUSTOMER_PORT")?.parse()?);
        Ok(Self { host, port, database, user, password, admin, sql })
    }

    /// Lets the reader see everything that is there now.
    ///
    /// # Errors
    /// The server says no.
    pub fn grant_all(&self) -> Result<()> {
        let schemas = self
            .sql
            .rows("SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'")?;
        for schema in schemas.iter().filter_map(|row| row["nspname"].as_str()) {
            let (schema, user) = (quoted(schema), &self.user);
            self.sql.run(&format!(
                "GRANT USAGE ON SCHEMA {schema} TO {user}; GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {user}"
            ))?;
        }
        Ok(())
    }

    /// Words of `pursight source create` that point at it; the password goes to stdin.
    pub fn words<'w>(&'w self, name: &'w str, port: &'w str) -> Vec<&'w str> {
        vec![
            "source",
            "create",
            "--name",
            name,
            "--type",
            "postgresql",
            "--host",
            &self.host,
            "--port",
            port,
            "--database",
            &self.database,
            "--user",
            &self.user,
            "--password-stdin",
            "--location",
            "on_prem",
        ]
    }
}

impl Drop for Customer {
    fn drop(&mut self) {
        let (database, user) = (&self.database, &self.user);
        // The next run uses other names: what cannot be removed is only untidy.
        let _ = self.admin.run(&format!("DROP DATABASE IF EXISTS {database} WITH (FORCE)"));
        let _ = self.admin.run(&format!("DROP ROLE IF EXISTS {user}"));
    }
}

/// An identifier in quotes.
pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
