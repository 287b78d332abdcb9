//! Figures against a real server: what is known, what is not, and that counting counts.

use std::collections::BTreeMap;
use std::time::Duration;

use pursight_connectors::postgres::statistics::{
    ObjectFigures, database, exact_rows, exact_sizes, limit_statements, objects, query_times,
};
use pursight_schemas::{ObjectKind, ScopeFilter};

use crate::support::{Database, Session};

const SCHEMA: &str = r#"
    CREATE SCHEMA "Shop ☃";
    CREATE TABLE "Shop ☃"."order ""lines""" (id int PRIMARY KEY, note text);
    INSERT INTO "Shop ☃"."order ""lines""" SELECT n, repeat('x', 100) FROM generate_series(1, 1000) n;
    CREATE TABLE parted (id int, part int) PARTITION BY LIST (part);
    CREATE TABLE parted_1 PARTITION OF parted FOR VALUES IN (1) PARTITION BY LIST (id);
    CREATE TABLE parted_1_1 PARTITION OF parted_1 DEFAULT;
    CREATE TABLE parted_2 PARTITION OF parted FOR VALUES IN (2);
    CREATE INDEX ON parted (id);
    INSERT INTO parted SELECT n, 1 + n % 2 FROM generate_series(1, 500) n;
    CREATE TABLE parent (id int);
    CREATE TABLE child () INHERITS (parent);
    INSERT INTO parent SELECT generate_series(1, 10);
    INSERT INTO child SELECT generate_series(1, 5);
    CREATE TABLE fresh (id int);
    CREATE VIEW seen AS SELECT 1 AS one;
    CREATE MATERIALIZED VIEW kept AS SELECT generate_series(1, 7) AS n;
    CREATE SEQUENCE s;
    ANALYZE;
    CREATE TABLE never (id int);
    INSERT INTO never SELECT generate_series(1, 3);
"#;

async fn by_name(session: &Session, scope: &ScopeFilter) -> BTreeMap<String, ObjectFigures> {
    let (objects, complete) = objects(session, scope).await.unwrap();
    assert!(complete);
    objects.into_iter().map(|object| (object.name.clone(), object)).collect()
}

#[tokio::test]
async fn estimates_fold_partitions_and_say_nothing_of_what_was_never_analysed() {
    let base = Database::create("").await;
    let session = base.session().await;
    session.0.batch_execute(&format!("SET search_path = public; {SCHEMA} SET search_path = pg_catalog")).await.unwrap();
    let found = by_name(&session, &ScopeFilter::default()).await;
    let names: Vec<_> = found.keys().map(String::as_str).collect();
    assert_eq!(names, ["child", "fresh", "kept", "never", "order \"lines\"", "parent", "parted", "seen"]);
    let rows = |name: &str| found[name].rows;
    assert_eq!(rows("order \"lines\""), Some(1000));
    assert_eq!(rows("parted"), Some(500));
    assert_eq!((rows("parent"), rows("child"), rows("kept")), (Some(10), Some(5), Some(7)));
    assert_eq!((rows("never"), found["never"].size_bytes), (None, None));
    assert_eq!((found["seen"].kind, rows("seen"), found["seen"].size_bytes), (ObjectKind::View, None, None));
    for name in ["order \"lines\"", "parted"] {
        let sum = "SELECT sum(relpages)::bigint * 8192 FROM pg_class WHERE relname LIKE $1 OR relname LIKE $2";
        let heap: i64 = session.0.query_one(sum, &[&name, &format!("{name}%")]).await.unwrap().get(0);
        assert!(found[name].size_bytes.unwrap() >= heap && heap > 0, "{name}");
    }
    let scope = ScopeFilter { include: vec!["public.*".to_owned()], exclude: vec!["*.par*".to_owned()] };
    let names: Vec<_> = by_name(&session, &scope).await.into_keys().collect();
    assert_eq!(names, ["child", "fresh", "kept", "never", "seen"]);
    drop(session);
    base.drop().await;
}

#[tokio::test]
async fn exact_figures_are_those_of_the_server() {
    let base = Database::create("").await;
    let session = base.session().await;
    session.0.batch_execute(&format!("SET search_path = public; {SCHEMA} SET search_path = pg_catalog")).await.unwrap();
    let found = by_name(&session, &ScopeFilter::default()).await;
    let oids: Vec<u32> = found.values().map(|object| object.oid).collect();
    let sizes = exact_sizes(&session, &oids).await.unwrap();
    let sql = "SELECT pg_total_relation_size('public.parted_1_1') + pg_total_relation_size('public.parted_2')";
    let parted: i64 = session.0.query_one(sql, &[]).await.unwrap().get(0);
    assert_eq!(sizes[&found["parted"].oid], parted);
    assert!(sizes[&found["never"].oid] > 0 && sizes[&found["fresh"].oid] == 0);
    assert!(!sizes.contains_key(&found["seen"].oid));
    for (name, rows) in
        [("order \"lines\"", 1000), ("parted", 500), ("parent", 10), ("child", 5), ("never", 3), ("kept", 7)]
    {
        assert_eq!(exact_rows(&session, found[name].oid).await, Ok(Some(rows)), "{name}");
    }
    assert_eq!(exact_rows(&session, found["seen"].oid).await, Ok(None));
    assert_eq!(exact_rows(&session, 1).await, Ok(None));
    drop(session);
    base.drop().await;
}

#[tokio::test]
async fn counting_ends_with_its_limit_and_the_session_goes_on() {
    let base = Database::create("").await;
    let session = base.session().await;
    session.0.batch_execute("CREATE MATERIALIZED VIEW public.kept AS SELECT 1 AS n; CREATE TABLE public.t AS SELECT n FROM generate_series(1, 2000000) n").await.unwrap();
    let found = by_name(&session, &ScopeFilter::default()).await;
    limit_statements(&session, Duration::from_millis(1)).await.unwrap();
    let ended = exact_rows(&session, found["t"].oid).await.unwrap_err();
    assert_eq!(ended.native_code.as_deref(), Some("57014"));
    limit_statements(&session, Duration::from_secs(30)).await.unwrap();
    assert_eq!(exact_rows(&session, found["t"].oid).await, Ok(Some(2_000_000)));
    drop(session);
    base.drop().await;
}

#[tokio::test]
async fn the_database_tells_size_and_counters_that_grow() {
    let base = Database::create("").await;
    let session = base.session().await;
    let before = database(&session).await.unwrap();
    assert_eq!(before.name, base.name);
    assert!(before.size_bytes.unwrap() > 1_000_000 && before.started_at > 1_600_000_000_000_000);
    assert_eq!(query_times(&session, 20).await.unwrap().len(), 20);
    // The server publishes a session's counters when it ends, or after a second.
    drop(session);
    let session = base.session().await;
    loop {
        let now = database(&session).await.unwrap();
        assert_eq!((now.oid, now.started_at, now.reset_at), (before.oid, before.started_at, before.reset_at));
        if now.blocks_hit > before.blocks_hit {
            break;
        }
    }
    drop(session);
    base.drop().await;
}
