//! Surveys of a scripted server: what is tried again, what ends a run, what a count may cost.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::result_large_err, reason = "problems are rare")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use super::*;

/// A server of which some statements fail, a given number of times.
#[derive(Clone, Default)]
struct Scripted {
    failures: Arc<Mutex<BTreeMap<String, (u32, Problem)>>>,
    log: Arc<Mutex<Vec<String>>>,
    tables: u32,
}

impl Scripted {
    fn with(tables: u32) -> Self {
        Self { tables, ..Self::default() }
    }

    fn fails(self, statement: &str, times: u32, native: &str, retryable: bool) -> Self {
        let problem = Problem { native_code: Some(native.into()), retryable, code: "X".into(), ..Problem::default() };
        self.failures.lock().unwrap().insert(statement.to_owned(), (times, problem));
        self
    }

    fn said(&self, statement: String) -> Result<(), Problem> {
        let mut failures = self.failures.lock().unwrap();
        let fault = failures.get_mut(&statement).filter(|(times, _)| *times > 0).map(|(times, problem)| {
            *times -= 1;
            problem.clone()
        });
        self.log.lock().unwrap().push(statement);
        fault.map_or(Ok(()), Err)
    }

    fn times(&self, statement: &str) -> usize {
        self.log.lock().unwrap().iter().filter(|said| *said == statement).count()
    }
}

#[async_trait]
impl Meter for Scripted {
    async fn open(&self, _: &WorkItem, database: Option<&str>, _: Duration) -> Result<Box<dyn Gauge>, Problem> {
        self.said(format!("open {}", database.unwrap_or("named")))?;
        Ok(Box::new(self.clone()))
    }
}

#[async_trait]
impl Gauge for Scripted {
    async fn databases(&self) -> Result<Vec<String>, Problem> {
        self.said("databases".into())?;
        Ok(vec!["one".into(), "two".into()])
    }

    async fn database(&self) -> Result<DatabaseFigures, Problem> {
        self.said("database".into())?;
        Ok(DatabaseFigures::default())
    }

    async fn objects(&self, _: &ScopeFilter) -> Result<(Vec<ObjectFigures>, bool), Problem> {
        self.said("objects".into())?;
        let table = |oid| ObjectFigures { kind: ObjectKind::Table, oid, rows: Some(1), ..ObjectFigures::default() };
        let mut objects: Vec<_> = (1..=self.tables).map(table).collect();
        objects.push(ObjectFigures { kind: ObjectKind::View, oid: 0, ..ObjectFigures::default() });
        Ok((objects, true))
    }

    async fn query_times(&self, samples: usize) -> Result<Vec<Duration>, Problem> {
        self.said("times".into())?;
        Ok(vec![Duration::from_micros(1); samples])
    }

    async fn connections(&self) -> Result<Connections, Problem> {
        self.said("connections".into())?;
        Ok(Connections::default())
    }

    async fn exact_sizes(&self, oids: &[u32]) -> Result<HashMap<u32, i64>, Problem> {
        for oid in oids {
            self.said(format!("size {oid}"))?;
        }
        Ok(oids.iter().map(|oid| (*oid, i64::from(*oid) * 10)).collect())
    }

    async fn exact_rows(&self, oid: u32) -> Result<Option<i64>, Problem> {
        self.said(format!("rows {oid}"))?;
        Ok(Some(i64::from(oid)))
    }

    async fn limit_statements(&self, most: Duration) -> Result<(), Problem> {
        self.said(format!("limit {}", most.as_secs()))
    }
}

#[derive(Debug, Default)]
struct Heard(Vec<(usize, usize)>);

#[async_trait]
impl Listener for Heard {
    async fn counted(&mut self, done: usize, total: usize) -> Result<(), Failure> {
        self.0.push((done, total));
        Ok(())
    }
}

fn work(databases: Option<&str>, exact: bool) -> WorkItem {
    let mut work = WorkItem { exact, ..WorkItem::default() };
    if let Some(databases) = databases {
        work.spec.options.insert("databases".into(), databases.into());
    }
    work
}

async fn measured(server: &Scripted, work: &WorkItem, left: Duration) -> Result<(Survey, Heard), Problem> {
    let mut heard = Heard::default();
    match survey(server, work, left, &mut heard).await {
        Ok(survey) => Ok((survey, heard)),
        Err(Broken::Theirs(problem)) => Err(problem),
        Err(Broken::Ours(failure)) => panic!("{failure}"),
    }
}

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn every_database_is_measured_and_the_server_once() {
    for (option, opened) in [
        (None, vec!["open named"]),
        (Some(" two, one,two ,"), vec!["open one", "open two"]),
        (Some("*"), vec!["open named", "open one", "open two"]),
    ] {
        let server = Scripted::with(1);
        let (survey, heard) = measured(&server, &work(option, false), HOUR).await.unwrap();
        let said = server.log.lock().unwrap().clone();
        let opens: Vec<_> = said.iter().filter(|said| said.starts_with("open")).collect();
        assert_eq!(opens, opened);
        assert_eq!((server.times("times"), server.times("connections")), (1, 1));
        assert_eq!(survey.sites.len(), server.times("objects"));
        assert_eq!((survey.times.len(), heard.0.len()), (SAMPLES, 0));
    }
    let none = measured(&Scripted::default(), &work(Some(" , "), false), HOUR).await.unwrap_err();
    assert_eq!(none.code, "DATABASE_NOT_FOUND");
}

#[tokio::test]
async fn what_may_pass_is_tried_again_and_what_may_not_ends_the_run() {
    let server = Scripted::with(1).fails("objects", 2, "closed", true);
    assert_eq!(measured(&server, &work(None, false), HOUR).await.unwrap().0.sites.len(), 1);
    assert_eq!(server.times("open named"), 3);
    let server = Scripted::with(1).fails("objects", 3, "closed", true);
    assert!(measured(&server, &work(None, false), HOUR).await.is_err());
    let server = Scripted::with(1).fails("open named", 1, "28P01", false);
    assert!(measured(&server, &work(None, false), HOUR).await.is_err());
    assert_eq!(server.times("open named"), 1);
    let server = Scripted::with(1).fails("open named", 1, "closed", true);
    assert!(measured(&server, &work(None, false), Duration::ZERO).await.is_err());
}

#[tokio::test]
async fn exact_figures_replace_estimates_where_the_server_lets_them() {
    let server = Scripted::with(250).fails("size 7", 100, "55P03", true).fails("rows 8", 1, "57014", true);
    let (survey, heard) = measured(&server, &work(None, true), HOUR).await.unwrap();
    let objects = &survey.sites[0].objects;
    let at = |oid: u32| objects.iter().find(|object| object.figures.oid == oid).unwrap();
    assert_eq!((at(6).figures.size_bytes, at(6).figures.rows), (Some(60), Some(6)));
    assert!(at(6).size_is_exact && at(6).rows_are_exact);
    assert_eq!((at(7).figures.size_bytes, at(7).figures.rows), (None, Some(7)));
    assert!(!at(7).size_is_exact && at(7).rows_are_exact);
    assert_eq!((at(8).figures.size_bytes, at(8).figures.rows), (Some(80), Some(1)));
    assert!(at(8).size_is_exact && !at(8).rows_are_exact);
    assert_eq!(objects.iter().filter(|object| object.size_is_exact).count(), 249);
    assert_eq!(server.times("rows 0"), 0, "a view is not counted");
    assert_eq!((heard.0.len(), heard.0.last()), (250, Some(&(250, 250))));
    assert_eq!(server.times("limit 2"), 1);
}

#[tokio::test]
async fn a_session_that_breaks_while_counting_ends_the_run() {
    for native in ["closed", "57P01", "08006"] {
        let server = Scripted::with(3).fails("rows 2", 1, native, true);
        assert!(measured(&server, &work(None, true), HOUR).await.is_err(), "{native}");
        assert_eq!(server.times("rows 3"), 0);
    }
}

#[tokio::test]
async fn without_time_nothing_is_counted_and_a_dry_run_never_counts() {
    let server = Scripted::with(3);
    let (survey, _) = measured(&server, &work(None, true), Duration::from_secs(4)).await.unwrap();
    assert_eq!((server.times("rows 1"), survey.sites[0].objects[0].figures.rows), (0, Some(1)));
    let server = Scripted::with(3);
    let dry = WorkItem { dry_run: true, ..work(None, true) };
    measured(&server, &dry, HOUR).await.unwrap();
    assert_eq!(server.times("size 1"), 0);
}
