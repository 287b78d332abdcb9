//! How this module asks a server and reads its answers.
//! Owns the port that a session implements and the lossy reading of texts; must not know what is asked.

use std::error::Error;

use async_trait::async_trait;
use pursight_schemas::{Problem, ProblemCategory};
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, ToSql, Type};

use crate::postgres::PgSession;

/// A session on a customer's database: one statement, all its rows. Nothing here opens a transaction, so every
/// statement is a snapshot of its own.
#[async_trait]
pub trait Rows: Send + Sync {
    /// Sends a constant statement. A problem carries the server's SQLSTATE in `native_code` when the server refused,
    /// and none when the session itself broke.
    async fn query(&self, sql: &'static str, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, Problem>;

    /// The same row by row: an answer may be larger than what is made of it. The first problem of `take` ends it.
    async fn each(&self, sql: &'static str, params: &[&(dyn ToSql + Sync)], take: Take<'_>) -> Result<(), Problem> {
        self.query(sql, params).await?.iter().try_for_each(take)
    }
}

/// What takes a row.
pub type Take<'t> = &'t mut (dyn for<'r> FnMut(&'r Row) -> Result<(), Problem> + Send);

#[async_trait]
impl Rows for PgSession {
    async fn query(&self, sql: &'static str, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, Problem> {
        PgSession::query(self, sql, params).await.map_err(|refused| *refused)
    }

    async fn each(&self, sql: &'static str, params: &[&(dyn ToSql + Sync)], take: Take<'_>) -> Result<(), Problem> {
        let taken = PgSession::each(self, sql, params, |row| take(&row).map_err(Box::new)).await;
        taken.map_err(|refused| *refused)
    }
}

/// A text in whatever bytes a database without a declared encoding holds.
pub(super) struct Text(pub(super) String);

impl<'a> FromSql<'a> for Text {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(String::from_utf8_lossy(raw).into_owned()))
    }

    fn accepts(ty: &Type) -> bool {
        [Type::TEXT, Type::NAME, Type::VARCHAR, Type::BPCHAR, Type::UNKNOWN].contains(ty)
    }
}

/// One field of a row.
pub(in crate::postgres) fn field<'a, T: FromSql<'a>>(row: &'a Row, index: usize) -> Result<T, Problem> {
    row.try_get(index).map_err(|_| unexpected())
}

/// One text that may be null.
pub(in crate::postgres) fn text(row: &Row, index: usize) -> Result<Option<String>, Problem> {
    Ok(field::<Option<Text>>(row, index)?.map(|text| text.0))
}

/// One array of texts.
pub(super) fn list(row: &Row, index: usize) -> Result<Vec<String>, Problem> {
    Ok(field::<Vec<Text>>(row, index)?.into_iter().map(|text| text.0).collect())
}

/// The row of a statement that always has one.
pub(in crate::postgres) fn only(rows: Vec<Row>) -> Result<Row, Problem> {
    rows.into_iter().next().ok_or_else(unexpected)
}

/// The texts of one part of an object, in the order that its statement documents.
pub(super) struct Texts(std::vec::IntoIter<Option<Text>>);

impl Texts {
    pub(super) fn read(row: &Row, index: usize) -> Result<Self, Problem> {
        Ok(Self(field::<Vec<Option<Text>>>(row, index)?.into_iter()))
    }

    pub(super) fn optional(&mut self) -> Option<String> {
        self.0.next().flatten().map(|text| text.0)
    }

    pub(super) fn required(&mut self) -> String {
        self.optional().unwrap_or_default()
    }

    /// Whether a flag, written as text or null, is set.
    pub(super) fn flag(&mut self) -> bool {
        self.optional().is_some()
    }

    pub(super) fn rest(self) -> Vec<String> {
        self.0.flatten().map(|text| text.0).collect()
    }
}

fn unexpected() -> Problem {
    Problem {
        code: "INTERNAL".into(),
        category: ProblemCategory::Internal,
        message: "the server answered a catalog query in another shape than PostgreSQL does".into(),
        remedy: Some("check that the source is a PostgreSQL server of version 12 or newer".into()),
        ..Problem::default()
    }
}
