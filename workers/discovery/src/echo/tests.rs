//! One change of a run at a time, and what of its diff is news.

use pursight_schemas::{Column, Constraint, ConstraintKind, ConstraintTarget, Index, ObjectKind, ObjectRef};

use super::*;
use crate::diff::diff;

fn column(name: &str, ordinal: i32, data_type: &str) -> Column {
    Column { name: name.into(), ordinal, data_type: data_type.into(), nullable: true, ..Column::default() }
}

fn constraint(name: &str, kind: ConstraintKind, columns: &[&str], definition: &str) -> Constraint {
    let columns = columns.iter().map(|column| (*column).to_owned()).collect();
    Constraint { name: name.into(), kind, columns, definition: Some(definition.into()), references: None }
}

fn orders() -> Content {
    let mut customer =
        constraint("fk", ConstraintKind::ForeignKey, &["who"], "FOREIGN KEY (who) REFERENCES sales.people(id)");
    customer.references = Some(ConstraintTarget { object: "sales.people".into(), columns: vec!["id".into()] });
    let index = |name: &str, columns: &[&str], definition: &str| Index {
        name: name.into(),
        method: "btree".into(),
        columns: columns.iter().map(|column| (*column).to_owned()).collect(),
        definition: definition.into(),
        unique: false,
    };
    Content {
        kind: ObjectKind::Table,
        catalog: "db".into(),
        schema: "sales".into(),
        name: "orders".into(),
        native_id: Some("1".into()),
        columns: vec![
            column("id", 1, "integer"),
            column("state", 2, "character varying(9)"),
            column("who", 3, "integer"),
        ],
        constraints: vec![
            constraint("pk", ConstraintKind::PrimaryKey, &["id"], "PRIMARY KEY (id)"),
            constraint("uq", ConstraintKind::Unique, &["id", "state"], "UNIQUE (id, state)"),
            constraint("one", ConstraintKind::Unique, &["state"], "UNIQUE (state)"),
            constraint("ck", ConstraintKind::Check, &["state"], "CHECK (((state)::text <> ''::text))"),
            customer,
        ],
        indexes: vec![
            index("i", &["state"], "CREATE INDEX i ON sales.orders USING btree (state)"),
            index(
                "j",
                &["lower((state)::text)", "who"],
                "CREATE INDEX j ON sales.orders USING btree (lower((state)::text), who)",
            ),
        ],
        ..Content::default()
    }
}

fn news(before: &Content, after: &Content, renames: &Renames) -> Vec<&'static str> {
    reported(diff(before, after), before, after, renames).iter().map(|change| change.kind.symbol()).collect()
}

fn replaced(content: &Content, old: &str, new: &str) -> Content {
    let turn = |text: &mut String| *text = text.replace(old, new);
    let mut after = content.clone();
    after.columns.iter_mut().for_each(|column| turn(&mut column.name));
    for constraint in &mut after.constraints {
        constraint.columns.iter_mut().for_each(turn);
        constraint.definition.iter_mut().for_each(turn);
        constraint.references.iter_mut().for_each(|target| turn(&mut target.object));
    }
    for index in &mut after.indexes {
        index.columns.iter_mut().for_each(turn);
        turn(&mut index.definition);
    }
    after
}

#[test]
fn renaming_a_column_is_one_change_whatever_prints_its_name() {
    let after = replaced(&orders(), "state", "status");
    assert!(diff(&orders(), &after).len() > 5);
    assert_eq!(news(&orders(), &after, &Renames::default()), ["COLUMN_RENAMED"]);
}

#[test]
fn a_second_change_of_the_same_run_is_not_swallowed() {
    let mut after = replaced(&orders(), "state", "status");
    after.constraints[3].definition = Some("CHECK (((status)::text <> 'x'::text))".into());
    after.indexes[0].unique = true;
    assert_eq!(news(&orders(), &after, &Renames::default()), ["COLUMN_RENAMED", "CHECK_CHANGED", "INDEX_CHANGED"]);
}

fn renamed(kind: ObjectKind, before: (&str, &str), after: (&str, &str)) -> Renamed {
    let owned = |(schema, name): (&str, &str)| (schema.to_owned(), name.to_owned());
    Renamed { kind, before: owned(before), after: owned(after) }
}

#[test]
fn renaming_a_table_is_one_change_and_none_of_those_that_point_at_it() {
    let mut renames = Renames::default();
    renames.object(&renamed(ObjectKind::Table, ("sales", "orders"), ("shop", "bills")));
    renames.object(&renamed(ObjectKind::Table, ("sales", "people"), ("sales", "persons")));
    let mut after = replaced(&replaced(&orders(), "sales.orders", "shop.bills"), "sales.people", "sales.persons");
    (after.schema, after.name) = ("shop".into(), "bills".into());
    assert_eq!(news(&orders(), &after, &renames), ["OBJECT_RENAMED"]);
    assert_eq!(
        news(&orders(), &after, &Renames::default()),
        ["FOREIGN_KEY_CHANGED", "INDEX_CHANGED", "INDEX_CHANGED", "OBJECT_RENAMED"]
    );
}

#[test]
fn a_column_renamed_elsewhere_is_an_echo_in_views_and_foreign_keys() {
    let mut renames = Renames::default();
    renames.columns("sales", "people", &[("id".into(), "key".into())]);
    let mut after = orders();
    after.constraints[4].definition = Some("FOREIGN KEY (who) REFERENCES sales.people(key)".into());
    if let Some(target) = &mut after.constraints[4].references {
        target.columns = vec!["key".into()];
    }
    assert_eq!(news(&orders(), &after, &renames), Vec::<&str>::new());
    assert_eq!(news(&orders(), &after, &Renames::default()), ["FOREIGN_KEY_CHANGED"]);
    let view = |definition: &str, table: &str| Content {
        kind: ObjectKind::View,
        definition: Some(definition.into()),
        depends_on: vec![ObjectRef {
            kind: ObjectKind::Table,
            schema: "sales".into(),
            name: table.into(),
            ..ObjectRef::default()
        }],
        ..Content::default()
    };
    let before = view(" SELECT people.id\n   FROM sales.people;", "people");
    let printed = view(" SELECT people.key AS id\n   FROM sales.people;", "people");
    assert_eq!(news(&before, &printed, &renames), Vec::<&str>::new());
    let other = view(" SELECT people.id\n   FROM sales.people;", "other");
    let other_printed = view(" SELECT people.key AS id\n   FROM sales.people;", "other");
    assert_eq!(news(&other, &other_printed, &renames), ["DEFINITION_CHANGED"], "it does not need what was renamed");
}

#[test]
fn dependencies_follow_from_renames_and_from_other_changes() {
    let needs = |name: &str| Content {
        kind: ObjectKind::View,
        depends_on: vec![ObjectRef {
            kind: ObjectKind::Table,
            schema: "sales".into(),
            name: name.into(),
            ..ObjectRef::default()
        }],
        ..Content::default()
    };
    let mut renames = Renames::default();
    renames.object(&renamed(ObjectKind::Table, ("sales", "old"), ("sales", "new")));
    assert_eq!(news(&needs("old"), &needs("new"), &renames), Vec::<&str>::new());
    assert_eq!(news(&needs("old"), &needs("other"), &renames), ["DEPENDENCY_CHANGED"]);
    let defined = |name: &str| Content { definition: Some(name.into()), ..needs(name) };
    assert_eq!(news(&defined("old"), &defined("other"), &Renames::default()), ["DEFINITION_CHANGED"]);
}

#[test]
fn what_a_dropped_column_took_along_is_no_change_of_its_own() {
    let mut after = orders();
    after.columns.remove(1);
    after.constraints.retain(|constraint| !constraint.columns.contains(&"state".to_owned()));
    after.indexes.clear();
    assert_eq!(news(&orders(), &after, &Renames::default()), ["COLUMN_DROPPED", "UNIQUE_DROPPED", "INDEX_DROPPED"]);
}

#[test]
fn a_new_type_prints_casts_anew() {
    let mut after = orders();
    after.columns[1].data_type = "text".into();
    after.constraints[3].definition = Some("CHECK ((state <> ''::text))".into());
    after.indexes[1].columns[0] = "lower(state)".into();
    after.indexes[1].definition = "CREATE INDEX j ON sales.orders USING btree (lower(state), who)".into();
    assert_eq!(news(&orders(), &after, &Renames::default()), ["COLUMN_TYPE_WIDENED"]);
    after.columns[1].data_type = orders().columns[1].data_type.clone();
    assert_eq!(news(&orders(), &after, &Renames::default()), ["CHECK_CHANGED", "INDEX_CHANGED"]);
}

#[test]
fn triggers_and_routines_are_called_after_others() {
    let trigger = |name: &str| Content {
        kind: ObjectKind::Trigger,
        schema: "sales".into(),
        name: name.into(),
        ..Content::default()
    };
    let mut renames = Renames::default();
    renames.object(&renamed(ObjectKind::Table, ("sales", "a.b"), ("sales", "c")));
    renames.object(&renamed(ObjectKind::Type, ("sales", "mood"), ("sales", "feeling")));
    assert_eq!(news(&trigger("a.b.t"), &trigger("c.t"), &renames), Vec::<&str>::new());
    renames.object(&renamed(ObjectKind::Trigger, ("sales", "c.t"), ("sales", "c.u")));
    assert_eq!(news(&trigger("c.t"), &trigger("c.u"), &renames), ["OBJECT_RENAMED"]);
    assert_eq!(news(&trigger("a.b.t"), &trigger("c.u"), &renames), ["OBJECT_RENAMED"]);
    let routine = |name: &str| Content {
        kind: ObjectKind::Routine,
        schema: "sales".into(),
        name: name.into(),
        ..Content::default()
    };
    assert_eq!(news(&routine("f(sales.mood)"), &routine("f(sales.feeling)"), &renames), Vec::<&str>::new());
    renames.object(&renamed(ObjectKind::Routine, ("sales", "f(integer)"), ("sales", "g(integer)")));
    assert_eq!(news(&routine("f(integer)"), &routine("g(integer)"), &renames), ["OBJECT_RENAMED"]);
}

#[test]
fn a_renamed_type_is_an_echo_in_columns() {
    let mut renames = Renames::default();
    renames.object(&renamed(ObjectKind::Type, ("sales", "mood"), ("sales", "feeling")));
    let of = |data_type: &str| Content {
        native_id: Some("1".into()),
        columns: vec![column("a", 1, data_type)],
        ..Content::default()
    };
    assert_eq!(news(&of("sales.mood[]"), &of("sales.feeling[]"), &renames), Vec::<&str>::new());
    assert_eq!(news(&of("sales.mood"), &of("text"), &renames), ["COLUMN_TYPE_CHANGED"]);
}
