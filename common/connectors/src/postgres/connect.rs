//! From a source's settings to an open session: secrets, checked addresses, TCP, TLS, login, session settings, over
//! several hosts in order. One path for everybody; the connection test shows its steps.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fail::fail_point;
use pursight_schemas::{DataSourceSpec, HostPort, ReplicaTarget, SourceType};
use pursight_secrets::Secret;
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio_postgres::Config;
use tokio_postgres::config::{SslMode, SslNegotiation};
use uuid::Uuid;

use super::catalog::PRINTING;
use super::errors::{Login, concerns_database, login_problem, statement_problem};
use super::reach::{
    crowded, in_clear, no_answer, no_host, no_primary, no_user, resting, silent, slow_secrets, slow_settings,
    unreachable,
};
use super::session::{Meter, PgSession, Route};
use crate::Connectors;
use crate::breaker::BreakerState;
use crate::problem::{Refused, code, refused, unsupported_type};
use crate::resolve::DNS_TIMEOUT;
use crate::secret::fetch;
use crate::steps::{Step, Steps};
use crate::tls::{TlsFacts, TlsSecrets, TlsSetup};
use crate::wire::{Established, Wire};

const TCP_TIMEOUT: Duration = Duration::from_secs(5);
const TLS_TIMEOUT: Duration = Duration::from_secs(5);
const LOGIN_TIMEOUT: Duration = Duration::from_secs(5);
const SECRET_TIMEOUT: Duration = Duration::from_secs(5);
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(30);
const DEFAULT_PORT: u16 = 5432;

/// How a session is set up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionOptions {
    /// As `pg_stat_activity` shows it.
    pub application_name: String,
    /// Longest statement.
    pub statement_timeout: Duration,
    /// Time for everything that the session does, connecting included.
    pub time_left: Duration,
    /// Leave an address alone whose breaker is open; a person's test does not.
    pub respect_breaker: bool,
}

impl SessionOptions {
    /// The session of a run.
    pub fn of_run(run_id: Uuid, time_left: Duration) -> Self {
        Self {
            application_name: format!("pursight/{run_id}"),
            statement_timeout: STATEMENT_TIMEOUT.min(time_left),
            time_left,
            respect_breaker: true,
        }
    }

    /// The session of a connection test: tries an address even when its breaker is open, because a person asks.
    pub fn of_test(run_id: Uuid, time_left: Duration) -> Self {
        Self { respect_breaker: false, ..Self::of_run(run_id, time_left) }
    }
}

/// What a source's settings come to, once per attempt.
#[derive(Clone)]
pub(crate) struct Plan<'a> {
    spec: &'a DataSourceSpec,
    user: String,
    pub(crate) database: String,
    password: Option<Secret>,
    tls: TlsSetup,
    options: &'a SessionOptions,
}

impl Plan<'_> {
    /// The same plan for another database of the server.
    pub(crate) fn on(&self, database: &str) -> Self {
        Self { database: database.to_owned(), ..self.clone() }
    }
}

impl Connectors {
    /// Opens a read-only session on a source's PostgreSQL, in `database` or in the one that the source names.
    ///
    /// # Errors
    /// The problem of the first step that failed, with its remedy.
    pub async fn postgres_session(
        &self,
        tenant: &str,
        spec: &DataSourceSpec,
        database: Option<&str>,
        options: &SessionOptions,
    ) -> Result<PgSession, Refused> {
        let mut steps = Steps::within(options.time_left);
        let plan = Box::pin(self.plan(tenant, spec, database, options, &mut steps)).await?;
        Box::pin(self.open(&plan, &mut steps)).await
    }

    /// The first step: everything that is needed before a packet is sent.
    pub(crate) async fn plan<'a>(
        &self,
        tenant: &str,
        spec: &'a DataSourceSpec,
        database: Option<&str>,
        options: &'a SessionOptions,
        steps: &mut Steps,
    ) -> Result<Plan<'a>, Refused> {
        steps
            .take(Step::Secret, SECRET_TIMEOUT, |_| slow_secrets(), async {
                if spec.source_type != SourceType::Postgresql {
                    return Err(unsupported_type(spec.source_type));
                }
                let user = spec.username.clone().filter(|user| !user.is_empty()).ok_or_else(no_user)?;
                let password = self.secret(tenant, spec.credential.as_ref(), "password").await?;
                let tls = TlsSecrets {
                    ca: self.secret(tenant, spec.tls.ca.as_ref(), "certificate authority").await?,
                    certificate: self
                        .secret(tenant, spec.tls.client_certificate.as_ref(), "client certificate")
                        .await?,
                    key: self.secret(tenant, spec.tls.client_key.as_ref(), "client key").await?,
                };
                let named = database.or(spec.database.as_deref()).filter(|name| !name.is_empty());
                let database = named.unwrap_or("postgres").to_owned();
                Ok(Plan { spec, user, database, password, tls: TlsSetup::new(spec, &tls)?, options })
            })
            .await
    }

    async fn secret(
        &self,
        tenant: &str,
        reference: Option<&pursight_schemas::SecretRef>,
        purpose: &str,
    ) -> Result<Option<Secret>, Refused> {
        match reference {
            Some(reference) => fetch(self.secrets(), tenant, reference, purpose).await.map(Some),
            None => Ok(None),
        }
    }

    /// Tries the hosts in order until one gives the session that is wanted.
    pub(crate) async fn open(&self, plan: &Plan<'_>, steps: &mut Steps) -> Result<PgSession, Refused> {
        let target = plan.spec.replica.as_ref().map_or(ReplicaTarget::Any, |replica| replica.target);
        let mut second_best = None;
        let mut failure: Option<Refused> = None;
        for (position, host) in plan.spec.hosts.iter().enumerate() {
            if position > 0 {
                steps.again_from(Step::Egress);
            }
            match self.open_host(plan, host, steps).await {
                Ok(session) if target == ReplicaTarget::Any || target == ReplicaTarget::Unknown => return Ok(session),
                Ok(session) => match (is_standby(&session, steps).await?, target) {
                    (true, ReplicaTarget::PreferStandby) | (false, ReplicaTarget::Primary) => return Ok(session),
                    (false, ReplicaTarget::PreferStandby) => second_best = second_best.or(Some(session)),
                    _ => failure = Some(steps.fail(Step::Database, no_primary())),
                },
                // Who is refused by one server of a set is refused by all; asking on would only look like an attack.
                Err(problem) if !may_differ_elsewhere(&problem) => return Err(problem),
                Err(problem) => failure = Some(problem),
            }
        }
        match (second_best, failure) {
            (Some(session), _) => Ok(session),
            (None, Some(problem)) => Err(problem),
            (None, None) => Err(steps.fail(Step::Egress, no_host())),
        }
    }

    async fn open_host(&self, plan: &Plan<'_>, place: &HostPort, steps: &mut Steps) -> Result<PgSession, Refused> {
        let host = place.host.as_str();
        let slow_dns = |_| refused(code::HOST_NOT_FOUND, "resolving the host took too long", "try again");
        let checked = async { self.gate().addresses(host, port_of(place)?).await };
        let addresses = steps.take(Step::Egress, DNS_TIMEOUT + Duration::from_millis(500), slow_dns, checked).await?;
        let (stream, address, permit) = self.dial(plan, host, &addresses, steps).await?;
        let our_address = stream.local_addr().ok().map(|local| local.ip());
        let route = Arc::new(Route { address, host: host.to_owned(), tls: plan.tls.clone() });
        let late = |limit: Duration| silent(host, address, limit, "the request for TLS");
        let secured = steps
            .take(Step::Tls, TLS_TIMEOUT, late, plan.tls.secure(stream, host, route.is_loopback()))
            .await
            .inspect_err(|problem| self.note(address, problem))?;
        if !secured.0.is_tls() && !route.is_loopback() {
            steps.warn(Step::Tls, &in_clear());
        }
        let late = |limit: Duration| silent(host, address, limit, "the login");
        let login = Login {
            user: &plan.user,
            database: &plan.database,
            our_address,
            tls: secured.0.is_tls(),
            has_password: plan.password.is_some(),
        };
        let deadline = Instant::now() + steps.time_left();
        let entered =
            steps.take(Step::Login, LOGIN_TIMEOUT, late, Box::pin(enter(plan, &login, secured, route, deadline))).await;
        match entered {
            Ok(mut session) => {
                self.addresses().told(address, true, Instant::now());
                session.permit = permit;
                steps.pass(Step::Database);
                steps.take(Step::ReadOnly, LOGIN_TIMEOUT, slow_settings, restrain(&session)).await?;
                Ok(session)
            }
            Err(problem) => {
                self.note(address, &problem);
                if concerns_database(&problem) {
                    return Err(steps.shift_failure(Step::Login, Step::Database, problem));
                }
                Err(problem)
            }
        }
    }

    /// Connects to the first address that answers; only checked addresses come here.
    async fn dial(
        &self,
        plan: &Plan<'_>,
        host: &str,
        addresses: &[SocketAddr],
        steps: &mut Steps,
    ) -> Result<(TcpStream, SocketAddr, Option<tokio::sync::OwnedSemaphorePermit>), Refused> {
        let limit = connect_timeout(plan.spec);
        let first = addresses.first().copied();
        let late = |limit: Duration| no_answer(host, first, limit);
        let each = limit / u32::try_from(addresses.len().max(1)).unwrap_or(1);
        steps
            .take(Step::Tcp, limit, late, async {
                let mut failure = None;
                for &address in addresses {
                    if plan.options.respect_breaker
                        && let BreakerState::Open(pause) = self.addresses().ask(address, Instant::now())
                    {
                        failure = Some(resting(host, address, pause));
                        continue;
                    }
                    let Ok(permit) = tokio::time::timeout(each, self.addresses().permit(address)).await else {
                        failure = Some(crowded(host, address));
                        continue;
                    };
                    match tokio::time::timeout(each, TcpStream::connect(address)).await {
                        Ok(Ok(stream)) if stream.peer_addr().is_ok_and(|peer| peer == address) => {
                            stream.set_nodelay(true).ok();
                            return Ok((stream, address, permit));
                        }
                        Ok(Ok(_)) => failure = Some(no_answer(host, Some(address), each)),
                        Ok(Err(error)) => failure = Some(unreachable(host, address, &error)),
                        Err(_) => failure = Some(no_answer(host, Some(address), each)),
                    }
                    self.addresses().told(address, false, Instant::now());
                }
                Err(failure.unwrap_or_else(|| no_answer(host, first, limit)))
            })
            .await
    }

    /// Tells the breaker of an address what a failure showed: a server that says no is alive.
    fn note(&self, address: SocketAddr, problem: &Refused) {
        self.addresses().told(address, !problem.retryable, Instant::now());
    }
}

/// Logs in over an established stream and starts the connection's task.
async fn enter(
    plan: &Plan<'_>,
    login: &Login<'_>,
    (wire, facts): (Wire, TlsFacts),
    route: Arc<Route>,
    deadline: Instant,
) -> Result<PgSession, Refused> {
    let mut config = Config::new();
    config.user(&plan.user).dbname(&plan.database).application_name(application_name(plan));
    if let Some(password) = &plan.password {
        config.password(password.expose());
    }
    // The handshake has been made: `Direct` keeps the driver from asking for one, and `Require` from doing without.
    if wire.is_tls() {
        config.ssl_mode(SslMode::Require).ssl_negotiation(SslNegotiation::Direct);
    } else {
        config.ssl_mode(SslMode::Disable);
    }
    let fault = wire.fault();
    let (client, connection) = config.connect_raw(wire, Established).await.map_err(|error| {
        fail_point!("planted::password-in-an-error", |_| refused(
            code::INTERNAL,
            plan.password.as_ref().map_or("", Secret::expose),
            ""
        ));
        login_problem(&error, login)
    })?;
    let version = connection.parameter("server_version").unwrap_or_default().chars().take(100).collect();
    let task = tokio::spawn(async move {
        if connection.await.is_err() {
            tracing::debug!("a connection to a customer's server was lost");
        }
    });
    Ok(PgSession {
        client,
        task: task.abort_handle(),
        route,
        facts,
        fault,
        version,
        database: plan.database.clone(),
        user: plan.user.clone(),
        statement_timeout: plan.options.statement_timeout,
        deadline,
        permit: None,
        statements: Mutex::new(HashMap::new()),
        meter: Meter::default(),
    })
}

/// Makes a session read-only and bounded before anything else is asked of it.
async fn restrain(session: &PgSession) -> Result<(), Refused> {
    let timeout = session.statement_timeout.as_millis().max(1);
    let settings = format!(
        "SET default_transaction_read_only = on; SET statement_timeout = {timeout}; SET lock_timeout = 500; \
         SET idle_in_transaction_session_timeout = 10000; {PRINTING}"
    );
    session.client.batch_execute(&settings).await.map_err(|error| statement_problem(&error, "restricting the session"))
}

async fn is_standby(session: &PgSession, steps: &mut Steps) -> Result<bool, Refused> {
    let asked = session.query("SELECT pg_catalog.pg_is_in_recovery()", &[]).await;
    let rows = asked.map_err(|problem| steps.fail(Step::Database, problem))?;
    Ok(rows.first().is_some_and(|row| row.try_get(0).unwrap_or(false)))
}

fn may_differ_elsewhere(problem: &Refused) -> bool {
    problem.retryable || matches!(problem.code.as_str(), code::HOST_NOT_FOUND | code::EGRESS_DENIED | code::TLS_FAILED)
}

/// `pursight/<run>`, or the source's own name for us in place of the first word.
fn application_name(plan: &Plan<'_>) -> String {
    let name = &plan.options.application_name;
    let own = plan.spec.options.get("application_name").filter(|own| !own.is_empty());
    let full = match (own, name.split_once('/')) {
        (Some(own), Some((_, run))) => {
            let prefix: String = own.chars().take(26).collect();
            format!("{prefix}/{run}")
        }
        _ => name.clone(),
    };
    full.chars().map(|c| if c.is_ascii_graphic() { c } else { '_' }).take(63).collect()
}

fn port_of(place: &HostPort) -> Result<u16, Refused> {
    match place.port.map(u16::try_from) {
        None => Ok(DEFAULT_PORT),
        Some(Ok(port)) if port > 0 => Ok(port),
        Some(_) => Err(refused(
            code::HOST_NOT_FOUND,
            format!("there is no port {}", place.port.unwrap_or_default()),
            "give the host a port from 1 to 65535",
        )),
    }
}

fn connect_timeout(spec: &DataSourceSpec) -> Duration {
    let seconds = spec.options.get("connect_timeout_s").and_then(|text| text.parse::<u64>().ok());
    seconds.map_or(TCP_TIMEOUT, |seconds| Duration::from_secs(seconds.clamp(1, 30)))
}
