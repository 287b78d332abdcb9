//! An open, read-only session. Owns the connection's task and ends it; counts what it costs; never runs a statement that
//! is not constant text of this program.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures::TryStreamExt;
use tokio::net::TcpStream;
use tokio::sync::{Mutex, OwnedSemaphorePermit};
use tokio::task::AbortHandle;
use tokio_postgres::types::ToSql;
use tokio_postgres::{CancelToken, Client, Row, Statement};

use super::errors::{statement_problem, wire_problem};
use crate::problem::{Refused, code, refused};
use crate::tls::{TlsFacts, TlsSetup};
use crate::wire::{Established, FaultSlot};

/// Most memory that the rows of one statement may take.
const MAX_RESULT: usize = 64 * 1024 * 1024;
/// What a row and each of its columns take beside the bytes that were sent: a server may send rows of nothing.
const ROW: usize = 128;
const COLUMN: usize = 24;
/// How long a cancel request may take, every stage of it.
const CANCEL_TIMEOUT: Duration = Duration::from_secs(5);
/// What a statement may take beyond the server's own timeout before we hang up.
const GRACE: Duration = Duration::from_secs(2);

/// What a session has cost so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Statements sent.
    pub queries: i64,
    /// Rows received.
    pub rows_read: i64,
    /// Time spent waiting for them.
    pub time: Duration,
}

/// The checked way to a server, to be taken again for a cancel request.
pub(crate) struct Route {
    pub(crate) address: SocketAddr,
    pub(crate) host: String,
    pub(crate) tls: TlsSetup,
}

impl Route {
    pub(crate) fn is_loopback(&self) -> bool {
        self.address.ip().to_canonical().is_loopback()
    }

    async fn cancel(&self, token: CancelToken) {
        let request = async {
            let stream = TcpStream::connect(self.address).await.ok()?;
            let (wire, _) = self.tls.secure(stream, &self.host, self.is_loopback()).await.ok()?;
            token.cancel_query_raw(wire, Established).await.ok()
        };
        if !matches!(tokio::time::timeout(CANCEL_TIMEOUT, request).await, Ok(Some(()))) {
            tracing::debug!("a cancel request did not reach the server; its statement timeout will end it");
        }
    }
}

/// A read-only session on a customer's PostgreSQL. Ends with the value: what still runs on the server is cancelled.
pub struct PgSession {
    pub(crate) client: Client,
    pub(crate) task: AbortHandle,
    pub(crate) route: Arc<Route>,
    pub(crate) facts: TlsFacts,
    pub(crate) fault: FaultSlot,
    pub(crate) version: String,
    pub(crate) database: String,
    pub(crate) user: String,
    pub(crate) statement_timeout: Duration,
    pub(crate) deadline: Instant,
    pub(crate) permit: Option<OwnedSemaphorePermit>,
    pub(crate) statements: Mutex<HashMap<&'static str, Statement>>,
    pub(crate) meter: Meter,
}

#[derive(Default)]
pub(crate) struct Meter {
    queries: AtomicU64,
    rows: AtomicU64,
    micros: AtomicU64,
    /// A statement was given up before its end.
    abandoned: AtomicBool,
}

impl PgSession {
    /// Runs a statement and returns all its rows. The statement is prepared once per session.
    ///
    /// # Errors
    /// The problem in our own words; [`code::DEADLINE_EXCEEDED`] when the session's time is over.
    pub async fn query(&self, sql: &'static str, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, Refused> {
        let mut found = Vec::new();
        self.each(sql, params, |row| {
            found.push(row);
            Ok(())
        })
        .await?;
        Ok(found)
    }

    /// Runs a statement and hands over each row as it comes: of a large answer only what is made of it is in memory.
    ///
    /// # Errors
    /// As [`PgSession::query`], or the first of `take`, which ends the reading.
    pub async fn each(
        &self,
        sql: &'static str,
        params: &[&(dyn ToSql + Sync)],
        mut take: impl FnMut(Row) -> Result<(), Refused>,
    ) -> Result<(), Refused> {
        self.bounded(async {
            let statement = self.prepared(sql).await?;
            let params = params.iter().map(|param| *param as &dyn ToSql);
            let rows = self.client.query_raw(&statement, params).await.map_err(|error| self.reading(&error))?;
            futures::pin_mut!(rows);
            let (mut count, mut bytes) = (0, 0_usize);
            while let Some(row) = rows.try_next().await.map_err(|error| self.reading(&error))? {
                bytes = bytes.saturating_add(row.raw_size_bytes() + ROW + COLUMN * row.len());
                if bytes > MAX_RESULT {
                    self.meter.abandoned.store(true, Ordering::Relaxed);
                    self.task.abort();
                    return Err(flood());
                }
                count += 1;
                take(row)?;
            }
            self.meter.rows.fetch_add(count, Ordering::Relaxed);
            Ok(())
        })
        .await
    }

    /// Runs constant statements without parameters or results, such as those that begin and end a transaction.
    ///
    /// # Errors
    /// As [`PgSession::query`].
    pub async fn simple(&self, sql: &'static str) -> Result<(), Refused> {
        self.bounded(async { self.client.batch_execute(sql).await.map_err(|error| self.reading(&error)) }).await
    }

    /// What the session has cost so far.
    pub fn counts(&self) -> Counts {
        let whole = |value: &AtomicU64| i64::try_from(value.load(Ordering::Relaxed)).unwrap_or(i64::MAX);
        Counts {
            queries: whole(&self.meter.queries),
            rows_read: whole(&self.meter.rows),
            time: Duration::from_micros(self.meter.micros.load(Ordering::Relaxed)),
        }
    }

    /// Asks the server to end what the session is running.
    pub async fn cancel(&self) {
        self.route.cancel(self.client.cancel_token()).await;
    }

    /// The server's version as it names it itself, such as `15.18 (Debian 15.18-0+deb12u1)`.
    pub fn server_version(&self) -> &str {
        &self.version
    }

    /// The server's major version; 0 when it names none.
    pub fn major_version(&self) -> u32 {
        let digits = self.version.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
        digits.parse().unwrap_or(0)
    }

    /// The database that is open.
    pub fn database(&self) -> &str {
        &self.database
    }

    /// The role that logged in.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// Whether the connection has ended.
    pub fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    pub(crate) fn facts(&self) -> &TlsFacts {
        &self.facts
    }

    fn reading(&self, error: &tokio_postgres::Error) -> Refused {
        const DOING: &str = "reading from the server";
        self.fault.get().map_or_else(|| statement_problem(error, DOING), |fault| wire_problem(*fault, DOING))
    }

    async fn prepared(&self, sql: &'static str) -> Result<Statement, Refused> {
        if let Some(statement) = self.statements.lock().await.get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.client.prepare(sql).await.map_err(|error| self.reading(&error))?;
        self.statements.lock().await.insert(sql, statement.clone());
        Ok(statement)
    }

    async fn bounded<T>(&self, work: impl Future<Output = Result<T, Refused>>) -> Result<T, Refused> {
        let started = Instant::now();
        let left = self.deadline.saturating_duration_since(started);
        let limit = left.min(self.statement_timeout + GRACE);
        if limit.is_zero() {
            return Err(out_of_time());
        }
        self.meter.queries.fetch_add(1, Ordering::Relaxed);
        let watch = Watch { meter: &self.meter, started, ended: false };
        match tokio::time::timeout(limit, work).await {
            Ok(result) => {
                watch.end();
                result
            }
            // The server did not keep its own timeout: it hangs. Nothing more is asked of this session.
            Err(_) => {
                drop(watch);
                self.task.abort();
                Err(if limit == left { out_of_time() } else { hanging(limit) })
            }
        }
    }
}

impl Drop for PgSession {
    fn drop(&mut self) {
        let abandoned = self.meter.abandoned.load(Ordering::Relaxed);
        self.task.abort();
        let (true, Ok(runtime)) = (abandoned, tokio::runtime::Handle::try_current()) else { return };
        let (route, token, permit) = (self.route.clone(), self.client.cancel_token(), self.permit.take());
        runtime.spawn(async move {
            route.cancel(token).await;
            drop(permit);
        });
    }
}

/// Notices a statement whose future was dropped before its end.
struct Watch<'a> {
    meter: &'a Meter,
    started: Instant,
    ended: bool,
}

impl Watch<'_> {
    fn end(mut self) {
        self.ended = true;
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        let spent = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.meter.micros.fetch_add(spent, Ordering::Relaxed);
        if !self.ended {
            self.meter.abandoned.store(true, Ordering::Relaxed);
        }
    }
}

fn flood() -> Refused {
    refused(
        code::SERVER_LIMIT,
        format!("one statement brought back more than {MAX_RESULT} bytes"),
        "narrow the scope of the source",
    )
}

fn out_of_time() -> Refused {
    refused(
        code::DEADLINE_EXCEEDED,
        "the time for this run was over before the server had answered",
        "try again with a later deadline, a narrower scope, or when the server is less busy",
    )
}

fn hanging(limit: Duration) -> Refused {
    refused(
        code::STATEMENT_TIMEOUT,
        format!("the server did not answer within {} s, although its own timeout is shorter", limit.as_secs()),
        "check the load of the server and the network in between",
    )
}
