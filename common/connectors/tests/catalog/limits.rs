//! What cannot be read, what is too large, what is not text.

use async_trait::async_trait;
use pursight_connectors::postgres::catalog::{PageItem, Pages, Rows, caps, listing};
use pursight_schemas::{ObjectKind, Problem, ScopeFilter};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use crate::support::{Database, Session, everything, pace};

/// Fails as a server does on a page that holds one of these oids.
struct Faulty {
    session: Session,
    oids: Vec<String>,
    state: &'static str,
}

#[async_trait]
impl Rows for Faulty {
    async fn query(&self, sql: &'static str, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, Problem> {
        let asked = format!("{params:?}");
        let asked: Vec<_> = asked.split(|c: char| !c.is_ascii_digit()).collect();
        if self.oids.iter().any(|oid| asked.contains(&oid.as_str())) {
            return Err(Problem { native_code: Some(self.state.into()), ..Problem::default() });
        }
        self.session.query(sql, params).await
    }
}

const TABLES: &str =
    "DO $$ BEGIN FOR n IN 1..300 LOOP EXECUTE format('CREATE TABLE t%s (id int)', n); END LOOP; END $$";

#[tokio::test]
async fn a_failing_page_is_bisected_down_to_the_objects_that_fail() {
    let database = Database::create("").await;
    database.owner().await.batch_execute(TABLES).await.unwrap();
    let session = database.session().await;
    let all = listing(&session, &ScopeFilter::default(), 1000).await.unwrap();
    let oids = vec![all.objects[7].native_id.clone(), all.objects[211].native_id.clone()];
    let faulty = Faulty { session, oids: oids.clone(), state: "XX000" };
    let mut pages = Pages::new(&faulty, &all.catalog, all.objects.clone(), pace());
    let (mut read, mut unreadable) = (0, Vec::new());
    while let Some(page) = pages.next().await.unwrap() {
        for item in page {
            match item {
                PageItem::Object(_) => read += 1,
                PageItem::Unreadable(object, problem) => unreadable.push((object.native_id, problem.native_code)),
                PageItem::Vanished(object) => panic!("{object:?}"),
            }
        }
    }
    assert_eq!((read, pages.left()), (298, 0));
    assert_eq!(unreadable, oids.into_iter().map(|oid| (oid, Some("XX000".to_owned()))).collect::<Vec<_>>());
    assert!(pages.queries() < 60, "{}", pages.queries());
    database.drop().await;
}

#[tokio::test]
async fn a_broken_session_ends_the_reading_and_so_does_a_server_that_refuses_everything() {
    let database = Database::create("").await;
    database.owner().await.batch_execute(TABLES).await.unwrap();
    let all = listing(&database.session().await, &ScopeFilter::default(), 1000).await.unwrap();
    let oids: Vec<_> = all.objects.iter().map(|object| object.native_id.clone()).collect();
    for (state, wanted) in [("57P01", 0), ("42501", 99)] {
        let faulty = Faulty { session: database.session().await, oids: oids.clone(), state };
        let mut pages = Pages::new(&faulty, &all.catalog, all.objects.clone(), pace());
        let mut unreadable = 0;
        let problem = loop {
            match pages.next().await {
                Ok(page) => unreadable += page.expect("more pages").len(),
                Err(problem) => break problem,
            }
        };
        assert_eq!((problem.native_code.as_deref(), unreadable), (Some(state), wanted));
    }
    database.drop().await;
}

#[tokio::test]
async fn a_view_whose_table_is_locked_is_unreadable_and_its_neighbours_are_not() {
    let database = Database::create("").await;
    let owner = database.owner().await;
    owner.batch_execute("CREATE TABLE a (id int); CREATE TABLE b (id int); CREATE VIEW va AS SELECT * FROM a; CREATE VIEW vb AS SELECT * FROM b").await.unwrap();
    let session = database.session().await;
    session.0.batch_execute("SET lock_timeout = '200ms'").await.unwrap();
    let all = listing(&session, &ScopeFilter::default(), 1000).await.unwrap();
    owner.batch_execute("BEGIN; LOCK TABLE a IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let mut pages = Pages::new(&session, &all.catalog, all.objects, pace());
    let (mut read, mut unreadable) = (Vec::new(), Vec::new());
    while let Some(page) = pages.next().await.unwrap() {
        for item in page {
            match item {
                PageItem::Object(object) => read.push(object.name),
                PageItem::Unreadable(object, problem) => unreadable.push((object.name, problem.native_code)),
                PageItem::Vanished(object) => panic!("{object:?}"),
            }
        }
    }
    assert_eq!(unreadable, [("va".to_owned(), Some("55P03".to_owned()))]);
    assert_eq!(read, ["a", "b", "vb"]);
    database.drop().await;
}

#[tokio::test]
async fn what_goes_between_listing_and_page_has_vanished() {
    let database = Database::create("").await;
    let owner = database.owner().await;
    owner.batch_execute("CREATE TABLE a (id int); CREATE TABLE b (id int)").await.unwrap();
    let session = database.session().await;
    let all = listing(&session, &ScopeFilter::default(), 1000).await.unwrap();
    owner.batch_execute("DROP TABLE a").await.unwrap();
    let page = Pages::new(&session, &all.catalog, all.objects.clone(), pace()).next().await.unwrap().unwrap();
    assert_eq!(page[0], PageItem::Vanished(all.objects[0].clone()));
    assert!(matches!(&page[1], PageItem::Object(object) if object.name == "b"));
    database.drop().await;
}

#[tokio::test]
async fn a_listing_beyond_its_cap_is_not_complete() {
    let database = Database::create("").await;
    database.owner().await.batch_execute(TABLES).await.unwrap();
    let session = database.session().await;
    for (cap, wanted) in [(299, (299, false)), (300, (300, true)), (301, (300, true))] {
        let all = listing(&session, &ScopeFilter::default(), cap).await.unwrap();
        assert_eq!((all.objects.len(), all.complete), wanted);
    }
    database.drop().await;
}

#[tokio::test]
async fn a_huge_definition_is_cut_and_a_change_behind_the_cut_still_shows() {
    let database = Database::create("").await;
    let owner = database.owner().await;
    let session = database.session().await;
    let mut seen = Vec::new();
    for tail in ["a", "b"] {
        let body = format!("-- {}{tail}", "é".repeat(90_000));
        let create = format!(
            "CREATE OR REPLACE FUNCTION public.f() RETURNS int LANGUAGE plpgsql AS $x${body}\nBEGIN RETURN 1; END$x$"
        );
        owner.batch_execute(&create).await.unwrap();
        owner
            .batch_execute(&format!("COMMENT ON FUNCTION public.f() IS '{}'", "c".repeat(caps::EXPRESSION + 1)))
            .await
            .unwrap();
        let objects = everything(&session).await;
        let object = &objects[&(ObjectKind::Routine, "public.f()".to_owned())];
        assert_eq!(object.truncated, ["comment", "definition"]);
        assert!(object.definition.as_ref().unwrap().len() <= caps::DEFINITION);
        seen.push(object.definition.clone());
    }
    assert_ne!(seen[0], seen[1]);
    database.drop().await;
}

#[tokio::test]
async fn texts_of_a_megabyte_make_no_row_of_a_megabyte() {
    let database = Database::create("").await;
    let owner = database.owner().await;
    let huge = "🦓".repeat(400_000);
    let labels: Vec<_> = (0..4000).map(|n| format!("'{n}{}'", "é".repeat(28))).collect();
    let values: Vec<_> = (0..300).map(|n| format!("'{n}{}'", "🦓".repeat(20))).collect();
    let bounds: String =
        (0..1200).map(|n| format!("CREATE TABLE p{n} PARTITION OF p FOR VALUES FROM ({n}) TO ({});", n + 1)).collect();
    owner
        .batch_execute(&format!(
            "CREATE TABLE t (a text DEFAULT '{huge}' CONSTRAINT c CHECK (a <> '{huge}'),
                g text GENERATED ALWAYS AS (a || '{huge}') STORED);
             COMMENT ON TABLE t IS '{huge}'; COMMENT ON COLUMN t.a IS '{huge}';
             CREATE VIEW v AS SELECT '{huge}'::text AS x;
             CREATE FUNCTION f() RETURNS text LANGUAGE sql AS $$SELECT '{huge}'$$;
             CREATE DOMAIN d AS text DEFAULT '{huge}' CHECK (VALUE <> '{huge}');
             CREATE TYPE e AS ENUM ({labels});
             CREATE TABLE l (k text) PARTITION BY LIST (k); CREATE TABLE l1 PARTITION OF l FOR VALUES IN ({values});
             CREATE TABLE p (k int) PARTITION BY RANGE (k); {bounds}",
            labels = labels.join(", "),
            values = values.join(", "),
        ))
        .await
        .unwrap();
    let objects = everything(&database.session().await).await;
    let of = |kind, name: &str| &objects[&(kind, format!("public.{name}"))];
    let table = of(ObjectKind::Table, "t");
    for path in ["columns/a/comment", "columns/a/default", "columns/g/generated", "comment", "constraints/c/definition"]
    {
        assert!(table.truncated.contains(&path.to_owned()), "{path} in {:?}", table.truncated);
    }
    let cut = [(ObjectKind::View, "v"), (ObjectKind::Routine, "f()"), (ObjectKind::Type, "d"), (ObjectKind::Type, "e")];
    for (kind, name) in cut {
        assert!(of(kind, name).truncated.contains(&"definition".to_owned()), "{name}");
    }
    assert_eq!(of(ObjectKind::Table, "l").truncated, ["partitions/bounds"]);
    let partitions = of(ObjectKind::Table, "p").partitions.as_ref().unwrap();
    assert_eq!((partitions.count, partitions.bounds.len()), (1200, 1000));
    database.drop().await;
}

#[tokio::test]
async fn bytes_that_are_no_text_are_read_all_the_same() {
    let database = Database::create("ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0").await;
    let owner = database.owner().await;
    owner.batch_execute("DO $$ BEGIN EXECUTE E'CREATE TABLE public.\"t\\xff\" (\"c\\xfe\" int)'; EXECUTE E'COMMENT ON TABLE public.\"t\\xff\" IS ''\\xe9'''; END $$").await.unwrap();
    let objects = everything(&database.session().await).await;
    let object = &objects[&(ObjectKind::Table, "public.t\u{fffd}".to_owned())];
    assert_eq!((object.columns[0].name.as_str(), object.comment.as_deref()), ("c\u{fffd}", Some("\u{fffd}")));
    database.drop().await;
}
