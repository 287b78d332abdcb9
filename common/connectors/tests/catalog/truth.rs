//! What is read equals what the catalog says, asked one by one.

use pursight_connectors::postgres::catalog::{CatalogObject, glob, listing};
use pursight_schemas::{ConstraintKind, ObjectKind, ScopeFilter};
use tokio_postgres::Client;

use crate::support::{Database, Objects, everything};

const WEIRD: &str = "zoo.Weird \"Table\" 🦓";

async fn zoo() -> (Database, Client, Objects) {
    let database = Database::create("").await;
    let owner = database.owner().await;
    owner.batch_execute(include_str!("zoo.sql")).await.expect("the zoo");
    // The questions below print as the session that reads does.
    owner.batch_execute(pursight_connectors::postgres::catalog::PRINTING).await.unwrap();
    let objects = everything(&database.session().await).await;
    (database, owner, objects)
}

fn of<'a>(objects: &'a Objects, kind: ObjectKind, name: &str) -> &'a CatalogObject {
    objects.get(&(kind, name.to_owned())).unwrap_or_else(|| panic!("no {kind} {name} in {:?}", objects.keys()))
}

async fn texts(owner: &Client, sql: &str) -> Vec<Option<String>> {
    owner.query(sql, &[]).await.expect(sql).iter().map(|row| row.get(0)).collect()
}

async fn one(owner: &Client, sql: &str) -> Option<String> {
    texts(owner, sql).await.into_iter().next().flatten()
}

#[tokio::test]
async fn every_kind_is_listed_and_nothing_that_is_part_of_something_else() {
    let (database, _owner, objects) = zoo().await;
    let found: Vec<String> = objects.keys().map(|(kind, name)| format!("{kind} {name}")).collect();
    let wanted = [
        "TABLE zoo.Lock",
        "TABLE zoo.Weird \"Table\" 🦓",
        "TABLE zoo.a23456789012345678901234567890123456789012345678901234567890_63",
        "TABLE zoo.animal",
        "TABLE zoo.bird",
        "TABLE zoo.keeper",
        "TABLE zoo.key",
        "TABLE zoo.penguin",
        "TABLE zoo.scratch",
        "TABLE zoo.stay",
        "TABLE zoo.visit",
        "VIEW zoo.cheap",
        "VIEW zoo.cheaper",
        "VIEW zoo.computed",
        "MATERIALIZED_VIEW Größe & Maß.Übersicht",
        "FOREIGN_TABLE zoo.remote",
        "SEQUENCE zoo.ticket",
        "ROUTINE zoo.add(integer, integer)",
        "ROUTINE zoo.add(zoo.mood, text[])",
        "ROUTINE zoo.do it(integer)",
        "ROUTINE zoo.total(integer)",
        "ROUTINE zoo.touch()",
        "TRIGGER zoo.Weird \"Table\" 🦓.on touch",
        "TRIGGER zoo.visit.visit_touch",
        "TYPE zoo.address",
        "TYPE zoo.mood",
        "TYPE zoo.percent",
        "TYPE zoo.span",
    ];
    assert_eq!(found, wanted);
    database.drop().await;
}

#[tokio::test]
async fn columns_equal_what_the_engine_prints_one_by_one() {
    let (database, owner, objects) = zoo().await;
    let mut seen = 0;
    for object in objects.values().filter(|object| !object.columns.is_empty()) {
        // pg_attribute by the object's own oid; of a composite type by its relation.
        let relation = one(
            &owner,
            &format!(
                "SELECT COALESCE((SELECT typrelid FROM pg_type WHERE oid = {0} AND typrelid <> 0), {0})::text",
                object.native_id
            ),
        )
        .await
        .unwrap();
        let names = texts(&owner, &format!("SELECT attname::text FROM pg_attribute WHERE attrelid = {relation} AND attnum > 0 AND NOT attisdropped ORDER BY attnum")).await;
        assert_eq!(object.columns.iter().map(|c| Some(c.name.clone())).collect::<Vec<_>>(), names, "{}", object.name);
        for column in &object.columns {
            seen += 1;
            let row = owner.query_one(&format!(
                "SELECT format_type(atttypid, atttypmod), NOT attnotnull, col_description(attrelid, attnum), attgenerated <> '',
                   (SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef WHERE adrelid = attrelid AND adnum = attnum),
                   CASE attidentity WHEN 'a' THEN 'ALWAYS' WHEN 'd' THEN 'BY DEFAULT' END
                 FROM pg_attribute WHERE attrelid = {relation} AND attnum = {}", column.ordinal), &[]).await.unwrap();
            let at = format!("{}.{}", object.name, column.name);
            assert_eq!(column.data_type, row.get::<_, String>(0), "{at}");
            assert_eq!(column.nullable, row.get::<_, bool>(1), "{at}");
            assert_eq!(column.comment, row.get::<_, Option<String>>(2), "{at}");
            let (expression, generated) = (row.get::<_, Option<String>>(4), row.get::<_, bool>(3));
            assert_eq!(column.default, expression.clone().filter(|_| !generated), "{at}");
            assert_eq!(column.generated, expression.filter(|_| generated), "{at}");
            assert_eq!(column.identity, row.get::<_, Option<String>>(5), "{at}");
        }
    }
    assert!(seen > 50, "{seen}");
    let weird = of(&objects, ObjectKind::Table, WEIRD);
    let families: Vec<_> = weird.columns.iter().map(|column| column.type_family.as_str()).collect();
    let wanted = "integer integer numeric numeric enum numeric composite array json xml timestamp date interval network \
        bits binary uuid float boolean range geometry numeric bits time text integer";
    assert_eq!(families, wanted.split_whitespace().collect::<Vec<_>>());
    assert_eq!(of(&objects, ObjectKind::Table, "zoo.keeper").columns[2].collation.as_deref(), Some("C"));
    database.drop().await;
}

#[tokio::test]
async fn constraints_and_indexes_equal_what_the_engine_prints_one_by_one() {
    let (database, owner, objects) = zoo().await;
    let mut seen = (0, 0);
    for object in objects.values() {
        let oid = &object.native_id;
        let wanted = texts(&owner, &format!("SELECT conname || ' ' || pg_get_constraintdef(oid) FROM pg_constraint
            WHERE ((conrelid = {oid} AND '{oid}'::regclass::text <> '') OR contypid = {oid}) AND contype IN ('p','u','f','c','x') AND conparentid = 0 ORDER BY conname COLLATE \"C\"")).await;
        let found: Vec<_> =
            object.constraints.iter().map(|c| Some(format!("{} {}", c.name, c.definition.clone().unwrap()))).collect();
        assert_eq!(found, wanted, "{}", object.name);
        let wanted = texts(&owner, &format!("SELECT relname || ' ' || pg_get_indexdef(indexrelid) FROM pg_index i JOIN pg_class c ON c.oid = indexrelid
            WHERE indrelid = {oid} AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid AND contype <> 'f') ORDER BY relname COLLATE \"C\"")).await;
        let found: Vec<_> = object.indexes.iter().map(|i| Some(format!("{} {}", i.name, i.definition))).collect();
        assert_eq!(found, wanted, "{}", object.name);
        seen = (seen.0 + object.constraints.len(), seen.1 + object.indexes.len());
    }
    // The zoo has some forms only where the engine knows them.
    let version: i32 = one(&owner, "SHOW server_version_num").await.unwrap().parse().unwrap();
    let constraints = match version {
        180_000.. => 32,
        150_000.. => 29,
        _ => 27,
    };
    assert!(seen.0 == constraints && seen.1 >= 13, "{seen:?}");
    let weird = of(&objects, ObjectKind::Table, WEIRD);
    let key = weird.constraints.iter().find(|c| c.kind == ConstraintKind::ForeignKey).unwrap();
    assert_eq!(
        (key.columns.as_slice(), key.references.as_ref().unwrap()),
        (
            ["keeper".to_owned()].as_slice(),
            &pursight_schemas::ConstraintTarget { object: "zoo.keeper".into(), columns: vec!["id".into()] }
        )
    );
    let index = of(&objects, ObjectKind::Table, "zoo.keeper").indexes.iter().find(|i| i.name == "lower_name").unwrap();
    assert_eq!(
        (index.unique, index.method.as_str(), index.columns.as_slice()),
        (true, "btree", ["lower(name::text)".to_owned(), "id".to_owned()].as_slice())
    );
    database.drop().await;
}

#[tokio::test]
async fn definitions_owners_and_comments_equal_what_the_engine_prints_one_by_one() {
    let (database, owner, objects) = zoo().await;
    for ((kind, name), object) in &objects {
        let oid = &object.native_id;
        let (definition, class) = match kind {
            ObjectKind::View | ObjectKind::MaterializedView => (format!("pg_get_viewdef({oid}::oid)"), "pg_class"),
            ObjectKind::Routine if name.contains("total") => ("NULL".into(), "pg_proc"),
            ObjectKind::Routine => (format!("pg_get_functiondef({oid})"), "pg_proc"),
            ObjectKind::Trigger => (format!("pg_get_triggerdef({oid})"), "pg_trigger"),
            ObjectKind::Type => ("''".into(), "pg_type"),
            ObjectKind::Sequence => ("''".into(), "pg_class"),
            _ => ("NULL".into(), "pg_class"),
        };
        if !matches!(kind, ObjectKind::Type | ObjectKind::Sequence) {
            assert_eq!(object.definition, one(&owner, &format!("SELECT {definition}")).await, "{name}");
        }
        assert_eq!(object.comment, one(&owner, &format!("SELECT obj_description({oid}, '{class}')")).await, "{name}");
        let wanted = (*kind != ObjectKind::Trigger).then_some("postgres");
        assert_eq!(object.owner.as_deref(), wanted, "{name}");
        assert!(object.truncated.is_empty());
    }
    let definition = |kind, name| of(&objects, kind, name).definition.as_deref();
    assert_eq!(definition(ObjectKind::Type, "zoo.mood"), Some("ENUM ('sad', 'it''s ok', 'happy')"));
    assert_eq!(definition(ObjectKind::Type, "zoo.percent"), Some("DOMAIN numeric(5,2) DEFAULT 0 NOT NULL"));
    assert_eq!(definition(ObjectKind::Type, "zoo.span"), Some("RANGE (SUBTYPE = double precision)"));
    assert_eq!(definition(ObjectKind::Type, "zoo.address"), None);
    assert_eq!(
        definition(ObjectKind::Sequence, "zoo.ticket"),
        Some("AS integer START WITH 5 INCREMENT BY 5 MINVALUE 1 MAXVALUE 500 CACHE 3 CYCLE")
    );
    database.drop().await;
}

#[tokio::test]
async fn partitions_and_dependencies_are_those_of_the_zoo() {
    let (database, _owner, objects) = zoo().await;
    let partitions = of(&objects, ObjectKind::Table, "zoo.visit").partitions.clone().unwrap();
    assert_eq!((partitions.strategy.as_str(), partitions.key.as_str(), partitions.count), ("RANGE", "day", 4));
    assert_eq!(
        partitions.bounds,
        ["DEFAULT", "DEFAULT", "FOR VALUES FROM ('2024-01-01') TO ('2025-01-01')", "FOR VALUES IN ('eu')"]
    );
    let needs = |kind, name| -> Vec<String> {
        of(&objects, kind, name).depends_on.iter().map(|d| format!("{} {}.{}", d.kind, d.schema, d.name)).collect()
    };
    assert_eq!(needs(ObjectKind::View, "zoo.cheap"), [format!("TABLE {WEIRD}")]);
    assert_eq!(
        needs(ObjectKind::View, "zoo.cheaper"),
        ["TABLE zoo.visit", "VIEW zoo.cheap"],
        "of a partition its root"
    );
    assert_eq!(needs(ObjectKind::View, "zoo.computed"), ["ROUTINE zoo.add(integer, integer)"]);
    assert_eq!(needs(ObjectKind::MaterializedView, "Größe & Maß.Übersicht"), ["VIEW zoo.cheaper"]);
    assert_eq!(needs(ObjectKind::Table, "zoo.penguin"), ["TABLE zoo.bird"]);
    assert_eq!(needs(ObjectKind::Table, "zoo.stay"), [] as [&str; 0]);
    assert_eq!(needs(ObjectKind::Routine, "zoo.add(zoo.mood, text[])"), ["TABLE zoo.animal", "TYPE zoo.mood"]);
    assert_eq!(needs(ObjectKind::Trigger, "zoo.visit.visit_touch"), ["TABLE zoo.visit", "ROUTINE zoo.touch()"]);
    for object in objects.values() {
        for need in &object.depends_on {
            let target = of(&objects, need.kind, &format!("{}.{}", need.schema, need.name));
            assert_eq!((&need.native_id, &need.catalog), (&target.native_id, &database.name));
        }
    }
    database.drop().await;
}

#[tokio::test]
async fn the_server_filters_by_globs_exactly_as_the_matcher_does() {
    let (database, owner, objects) = zoo().await;
    let session = database.session().await;
    for (include, exclude) in [
        (vec!["zoo.*"], vec![]),
        (vec!["zoo.v*", "Größe & Maß.?bersicht"], vec!["*touch"]),
        (vec!["*_63"], vec![]),
        (vec!["*a_imal", "zoo.add(*"], vec!["*mood*"]),
        (vec![], vec!["zoo.*"]),
        (vec!["*\\*"], vec![]),
        (vec!["*🦓"], vec![]),
    ] {
        let owned = |globs: &[&str]| globs.iter().map(|glob| (*glob).to_owned()).collect();
        let scope = ScopeFilter { include: owned(&include), exclude: owned(&exclude) };
        let found: Vec<_> =
            listing(&session, &scope, 1000).await.unwrap().objects.into_iter().map(|o| o.native_id).collect();
        let mut wanted: Vec<_> = objects
            .values()
            .filter(|o| glob::in_scope(&scope, &o.schema, &o.name))
            .map(|o| o.native_id.clone())
            .collect();
        let mut found = found;
        found.sort();
        wanted.sort();
        assert_eq!(found, wanted, "{scope:?}");
    }
    // Short texts over few letters, so that most pairs are near misses.
    let letters = ['a', 'b', '*', '?', '\\', '%', '_', '.', 'é', '🦓'];
    let word = |mut seed: u64| -> String {
        (0..seed % 6)
            .map(|_| {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                letters[(seed >> 33) as usize % letters.len()]
            })
            .collect()
    };
    let globs: Vec<String> = (0..20_000_u64).map(|n| format!("x{}", word(n * 7919 + 1))).collect();
    let words: Vec<String> = (0..20_000_u64).map(|n| format!("x{}", word(n * 104_729 + 3))).collect();
    let rows = owner
        .query(
            "SELECT t LIKE p FROM unnest($1::text[], $2::text[]) WITH ORDINALITY u(t, p, n) ORDER BY n",
            &[&words, &glob::like(&globs)],
        )
        .await
        .unwrap();
    let matched = rows.iter().zip(globs.iter().zip(&words)).filter(|(row, (glob, word))| {
        assert_eq!(row.get::<_, bool>(0), glob::matches(glob, word), "{glob:?} on {word:?}");
        row.get::<_, bool>(0)
    });
    assert!(matched.count() > 500);
    database.drop().await;
}
