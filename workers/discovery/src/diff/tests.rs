//! What holds of every diff, and a table of single changes.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::prelude::*;
use pursight_schemas::{
    Column, Constraint, ConstraintKind, ConstraintTarget, Index, ObjectKind, ObjectRef, Partitioning,
};

use super::*;
use crate::content::Content;
use crate::hash::content_hash;

fn word() -> impl Strategy<Value = String> {
    prop_oneof!["[abc]", "[a-c/%.\" ]{1,3}"]
}

fn maybe() -> impl Strategy<Value = Option<String>> {
    proptest::option::of("[xy]{0,2}")
}

fn columns() -> impl Strategy<Value = Vec<Column>> {
    let types = prop_oneof![Just("integer"), Just("bigint"), Just("text"), Just("character varying(3)")];
    let one = (word(), types, any::<bool>(), (maybe(), maybe(), maybe(), maybe(), maybe())).prop_map(
        |(name, data_type, nullable, (default, generated, identity, collation, comment))| Column {
            name,
            data_type: data_type.to_owned(),
            nullable,
            default,
            generated,
            identity,
            collation,
            comment,
            ..Column::default()
        },
    );
    (proptest::collection::vec(one, 0..5), any::<prop::sample::Index>()).prop_map(|(mut columns, turn)| {
        unique(&mut columns, |column| column.name.clone());
        let count = columns.len().max(1);
        for (at, column) in columns.iter_mut().enumerate() {
            column.ordinal = i32::try_from((at + turn.index(count)) % count).unwrap() + 1;
        }
        columns
    })
}

fn unique<T>(list: &mut Vec<T>, key: impl Fn(&T) -> String) {
    let mut seen = std::collections::BTreeSet::new();
    list.retain(|element| seen.insert(key(element)));
}

fn constraints() -> impl Strategy<Value = Vec<Constraint>> {
    let kinds = prop_oneof![
        Just(ConstraintKind::PrimaryKey),
        Just(ConstraintKind::Unique),
        Just(ConstraintKind::ForeignKey),
        Just(ConstraintKind::Check),
        Just(ConstraintKind::Exclusion)
    ];
    let one = (word(), kinds, proptest::collection::vec("[abc]", 0..3), maybe(), proptest::option::of(word()))
        .prop_map(|(name, kind, columns, definition, target)| Constraint {
            name,
            kind,
            references: target.map(|object| ConstraintTarget { object, columns: columns.clone() }),
            columns,
            definition,
        });
    proptest::collection::vec(one, 0..4).prop_map(|mut list| {
        unique(&mut list, |constraint| constraint.name.clone());
        // a table has one primary key
        unique(
            &mut list,
            |c| if c.kind == ConstraintKind::PrimaryKey { String::new() } else { format!("-{}", c.name) },
        );
        list
    })
}

fn indexes() -> impl Strategy<Value = Vec<Index>> {
    let one = (word(), any::<bool>(), proptest::collection::vec("[abc]", 0..3), "[ab]").prop_map(
        |(name, unique, columns, method)| Index {
            definition: format!("INDEX \"{name}\" USING {method}"),
            name,
            unique,
            columns,
            method,
        },
    );
    proptest::collection::vec(one, 0..4).prop_map(|mut list| {
        unique(&mut list, |index| index.name.clone());
        list
    })
}

fn needed() -> impl Strategy<Value = Vec<ObjectRef>> {
    let one = (word(), word(), prop_oneof![Just(ObjectKind::Table), Just(ObjectKind::View)]).prop_map(
        |(schema, name, kind)| ObjectRef { catalog: "db".into(), schema, name, kind, ..ObjectRef::default() },
    );
    proptest::collection::vec(one, 0..3).prop_map(|mut list| {
        unique(&mut list, |needed| format!("{:?}", crate::content::needed_key(needed)));
        list
    })
}

fn content() -> impl Strategy<Value = Content> {
    let partitions = proptest::option::of(("[RL]", "[ab]").prop_map(|(strategy, key)| Partitioning {
        strategy,
        key,
        count: 3,
        bounds: vec!["x".into()],
    }));
    let parts = (columns(), constraints(), indexes(), needed(), partitions);
    ((word(), word(), "[12]"), (maybe(), maybe(), proptest::option::of("[xy \n]{0,3}")), parts).prop_map(
        |(
            (schema, name, native),
            (owner, comment, definition),
            (columns, constraints, indexes, depends_on, partitions),
        )| Content {
            kind: ObjectKind::Table,
            catalog: "db".into(),
            schema,
            name,
            native_id: Some(native),
            owner,
            comment,
            columns,
            constraints,
            indexes,
            partitions,
            definition,
            depends_on,
            truncated: vec![],
        },
    )
}

fn reversed(mut content: Content) -> Content {
    content.columns.reverse();
    content.constraints.reverse();
    content.indexes.reverse();
    content.depends_on.reverse();
    content
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn applying_a_diff_gives_what_was_compared_with(a in content(), b in content()) {
        let changes = diff(&a, &b);
        let applied = apply(&changes, &a);
        prop_assert_eq!(applied.clone().map(Content::normal), Some(b.clone().normal()), "{:#?}", changes);
        prop_assert_eq!(content_hash(&applied.unwrap()), content_hash(&b));
    }

    #[test]
    fn equal_contents_have_no_difference(a in content()) {
        prop_assert_eq!(diff(&a, &a), vec![]);
    }

    #[test]
    fn the_order_of_rows_makes_no_difference(a in content(), b in content()) {
        prop_assert_eq!(diff(&a, &b), diff(&reversed(a.clone()), &reversed(b.clone())));
    }

    #[test]
    fn changes_are_in_order_of_path_then_kind_and_there_are_some_exactly_when_the_hash_differs(a in content(), b in content()) {
        let changes = diff(&a, &b);
        let order: Vec<_> = changes.iter().map(|change| (change.path.clone(), change.kind.symbol())).collect();
        let mut sorted = order.clone();
        sorted.sort();
        prop_assert_eq!(&order, &sorted);
        sorted.dedup();
        prop_assert_eq!(&order, &sorted, "no path twice with the same kind");
        if content_hash(&a) != content_hash(&b) {
            prop_assert!(!changes.is_empty());
        }
    }
}

fn table() -> Content {
    let column = |name: &str, ordinal, data_type: &str| Column {
        name: name.into(),
        ordinal,
        data_type: data_type.into(),
        nullable: true,
        ..Column::default()
    };
    let key = Constraint {
        name: "t_pkey".into(),
        kind: ConstraintKind::PrimaryKey,
        columns: vec!["a".into()],
        ..Constraint::default()
    };
    let index = Index {
        name: "i".into(),
        method: "btree".into(),
        columns: vec!["b".into()],
        definition: "CREATE INDEX i ON s.t USING btree (b)".into(),
        ..Index::default()
    };
    Content {
        kind: ObjectKind::Table,
        schema: "s".into(),
        name: "t".into(),
        native_id: Some("1".into()),
        columns: vec![column("a", 1, "integer"), column("b", 2, "text"), column("c", 4, "date")],
        constraints: vec![key],
        indexes: vec![index],
        ..Content::default()
    }
}

type Case = (fn(&mut Content), &'static str);

/// Each as `KIND severity path before>after certainty`.
const CASES: &[Case] = &[
    (|t| t.name = "u".into(), "OBJECT_RENAMED MAJOR name s.t>s.u CERTAIN"),
    (|t| t.schema = "r".into(), "OBJECT_RENAMED MAJOR schema s.t>r.t CERTAIN"),
    (|t| t.native_id = Some("2".into()), "OBJECT_RECREATED MAJOR native_id 1>2 CERTAIN"),
    (|t| t.owner = Some("o".into()), "OWNER_CHANGED SECURITY owner >o CERTAIN"),
    (|t| t.comment = Some("o".into()), "COMMENT_CHANGED PATCH comment >o CERTAIN"),
    (|t| t.definition = Some("o".into()), "DEFINITION_CHANGED MINOR definition >o CERTAIN"),
    (|t| t.columns[1].name = "x".into(), "COLUMN_RENAMED MAJOR columns/x/name b>x CERTAIN"),
    (|t| t.columns[0].data_type = "bigint".into(), "COLUMN_TYPE_WIDENED MINOR columns/a/type integer>bigint CERTAIN"),
    (
        |t| t.columns[0].data_type = "smallint".into(),
        "COLUMN_TYPE_NARROWED MAJOR columns/a/type integer>smallint CERTAIN",
    ),
    (|t| t.columns[0].data_type = "text".into(), "COLUMN_TYPE_CHANGED MAJOR columns/a/type integer>text CERTAIN"),
    (|t| t.columns[0].nullable = false, "NULLABILITY_TIGHTENED MAJOR columns/a/nullable true>false CERTAIN"),
    (|t| t.columns[0].default = Some("1".into()), "DEFAULT_CHANGED PATCH columns/a/default >1 CERTAIN"),
    (|t| t.columns[0].generated = Some("1".into()), "GENERATED_CHANGED MINOR columns/a/generated >1 CERTAIN"),
    (|t| t.columns[0].identity = Some("1".into()), "IDENTITY_CHANGED MINOR columns/a/identity >1 CERTAIN"),
    (|t| t.columns[0].collation = Some("1".into()), "COLLATION_CHANGED MAJOR columns/a/collation >1 CERTAIN"),
    (|t| t.columns[0].comment = Some("1".into()), "COMMENT_CHANGED PATCH columns/a/comment >1 CERTAIN"),
    (
        |t| t.columns[0].ordinal = 3,
        "COLUMN_ADDED MINOR columns/a >{…} CERTAIN;COLUMN_DROPPED MAJOR columns/a {…}> CERTAIN",
    ),
    (
        |t| {
            t.columns.pop();
        },
        "COLUMN_DROPPED MAJOR columns/c {…}> CERTAIN",
    ),
    (
        |t| t.columns.push(Column { name: "d".into(), ordinal: 5, ..Column::default() }),
        "COLUMN_ADDED MAJOR columns/d >{…} CERTAIN",
    ),
    (
        |t| t.columns.push(Column { name: "d".into(), ordinal: 5, default: Some("0".into()), ..Column::default() }),
        "COLUMN_ADDED MINOR columns/d >{…} CERTAIN",
    ),
    (|t| t.constraints.clear(), "PRIMARY_KEY_CHANGED MAJOR constraints/t_pkey {…}> CERTAIN"),
    (|t| t.constraints[0].columns.push("b".into()), "PRIMARY_KEY_CHANGED MAJOR constraints/t_pkey {…}>{…} CERTAIN"),
    (|t| t.constraints[0].name = "k".into(), "PRIMARY_KEY_CHANGED MAJOR constraints/t_pkey {…}>{…} CERTAIN"),
    (
        |t| t.constraints[0].kind = ConstraintKind::Unique,
        "PRIMARY_KEY_CHANGED MAJOR constraints/t_pkey {…}> CERTAIN;UNIQUE_ADDED MINOR constraints/t_pkey >{…} CERTAIN",
    ),
    (|t| t.indexes.clear(), "INDEX_DROPPED PATCH indexes/i {…}> CERTAIN"),
    (|t| t.indexes[0].unique = true, "INDEX_CHANGED PATCH indexes/i {…}>{…} CERTAIN"),
    (
        |t| {
            t.indexes[0].name = "j".into();
            t.indexes[0].definition = "CREATE INDEX j ON s.t USING btree (b)".into();
        },
        "INDEX_CHANGED PATCH indexes/i {…}>{…} CERTAIN",
    ),
    (
        |t| t.partitions = Some(Partitioning { strategy: "RANGE".into(), key: "c".into(), ..Partitioning::default() }),
        "PARTITIONING_CHANGED PATCH partitions >{…} CERTAIN",
    ),
    (
        |t| {
            t.depends_on.push(ObjectRef {
                kind: ObjectKind::Table,
                schema: "s".into(),
                name: "p".into(),
                ..ObjectRef::default()
            })
        },
        "DEPENDENCY_CHANGED PATCH depends_on >[…] CERTAIN",
    ),
];

fn shown(changes: &[Change]) -> String {
    let value = |value: &Option<String>| match value.as_deref() {
        Some(text) if text.starts_with('{') => "{…}".to_owned(),
        Some(text) if text.starts_with('[') => "[…]".to_owned(),
        text => text.unwrap_or_default().to_owned(),
    };
    let one = |change: &Change| {
        let (kind, severity, certainty) = (change.kind.symbol(), change.severity.symbol(), change.certainty.symbol());
        format!("{kind} {severity} {} {}>{} {certainty}", change.path, value(&change.before), value(&change.after))
    };
    changes.iter().map(one).collect::<Vec<_>>().join(";")
}

#[test]
fn each_difference_has_its_kind_severity_path_and_values() {
    for (change, wanted) in CASES {
        let mut after = table();
        change(&mut after);
        assert_eq!(shown(&diff(&table(), &after)), *wanted);
    }
}

#[test]
fn a_view_whose_columns_changed_too_has_a_major_change_of_its_definition() {
    let before = Content { definition: Some("x".into()), ..table() };
    let mut after = Content { definition: Some("y".into()), ..table() };
    after.columns.pop();
    assert!(shown(&diff(&before, &after)).contains("DEFINITION_CHANGED MAJOR"));
}

#[test]
fn in_a_recreated_table_a_column_keeps_its_name_and_a_rename_is_suspected() {
    let mut after = Content { native_id: Some("2".into()), ..table() };
    after.columns[1].name = "x".into();
    after.columns[2].ordinal = 3;
    let shown = shown(&diff(&table(), &after));
    assert_eq!(shown, "COLUMN_RENAMED MAJOR columns/x/name b>x SUSPECTED;OBJECT_RECREATED MAJOR native_id 1>2 CERTAIN");
}

#[test]
fn exchanged_names_are_two_renames() {
    let mut after = table();
    after.columns[0].name = "b".into();
    after.columns[1].name = "a".into();
    let changes = diff(&table(), &after);
    assert_eq!(
        shown(&changes),
        "COLUMN_RENAMED MAJOR columns/a/name b>a CERTAIN;COLUMN_RENAMED MAJOR columns/b/name a>b CERTAIN"
    );
    assert_eq!(apply(&changes, &table()).unwrap().normal(), after.normal());
}

#[test]
fn changes_that_do_not_fit_are_refused() {
    let mut after = table();
    after.columns.pop();
    let changes = diff(&table(), &after);
    assert_eq!(apply(&changes, &after), None);
}
