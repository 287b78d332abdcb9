//! Why the read model could not be asked, and whether asking again can help. Holds no statement and no credential.

/// What went wrong between us and the read model.
#[derive(Debug, thiserror::Error)]
pub enum ReadModelError {
    /// The URL or another setting cannot be used.
    #[error("the read model's address is not usable: {0}")]
    Settings(String),
    /// A statement or connection failed.
    #[error("{what}")]
    Database {
        /// What we were doing.
        what: &'static str,
        /// What the driver says.
        #[source]
        source: sqlx::Error,
    },
    /// A migration could not be applied.
    #[error("the read model's migrations cannot be applied")]
    Migrate(#[source] Box<sqlx::migrate::MigrateError>),
    /// The schema is older or newer than this program.
    #[error("the read model is not migrated: {0}; run `pursight migrate` as the owner of the schema")]
    NotMigrated(String),
    /// The readers' roles are missing and we may not make them.
    #[error("the role {role} is missing or not granted to us; as a superuser run: {remedy}")]
    Role {
        /// Which role.
        role: &'static str,
        /// Statements that make it right.
        remedy: String,
    },
    /// A stored value is not what this program writes.
    #[error("the read model holds {0}")]
    Content(String),
}

impl ReadModelError {
    /// Wraps a driver's error with what we were doing.
    pub(crate) fn during(what: &'static str) -> impl FnOnce(sqlx::Error) -> Self {
        move |source| Self::Database { what, source }
    }

    /// Whether the server has no room for another session.
    pub fn is_full(&self) -> bool {
        let Self::Database { source: sqlx::Error::Database(error), .. } = self else { return false };
        error.code().is_some_and(|code| code == "53300")
    }

    /// Whether the same call may work later: the server is away, overloaded, or another transaction was in the way.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Database { source, .. } => is_transient(source),
            Self::Settings(_) | Self::Migrate(_) | Self::NotMigrated(_) | Self::Role { .. } | Self::Content(_) => false,
        }
    }
}

fn is_transient(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::Protocol(_) => true,
        sqlx::Error::Database(database) => database.code().is_some_and(|code| {
            let class = code.get(..2).unwrap_or_default();
            // connection, resources, operator; serialization, deadlock, lock and statement timeouts
            matches!(class, "08" | "53" | "57") || matches!(code.as_ref(), "40001" | "40P01" | "55P03" | "25P03")
        }),
        _ => false,
    }
}
