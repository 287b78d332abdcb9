//! From the rows of one object to the object.
//! Owns the order of texts in each part (documented at the head of each statement in `sql/`) and where caps apply; must
//! not know how the rows were asked for.

use std::collections::HashMap;

use pursight_schemas::{Column, Constraint, ConstraintKind, ConstraintTarget, Index, ObjectKind, Partitioning};

use super::caps::{Cutter, DEFINITION, EXPRESSION};
use super::family::family;
use super::rows::Texts;
use super::types::{CatalogObject, Dependency};

/// The rows of one object, by part.
#[derive(Default)]
pub(super) struct Parts {
    pub(super) object: Option<Texts>,
    pub(super) columns: Vec<(i32, Texts)>,
    pub(super) comments: Vec<(i32, Texts)>,
    pub(super) constraints: Vec<Texts>,
    pub(super) indexes: Vec<Texts>,
    pub(super) partitions: Vec<Texts>,
    pub(super) dependencies: Vec<Texts>,
}

impl Parts {
    /// The object, or none when its own row is missing.
    pub(super) fn assemble(self, catalog: &str, oid: u32) -> Option<CatalogObject> {
        let mut texts = self.object?;
        let cutter = &mut Cutter::new();
        let mut object = CatalogObject { catalog: catalog.into(), native_id: oid.to_string(), ..Default::default() };
        object.kind = ObjectKind::from_symbol(&texts.required());
        object.schema = cutter.name(texts.required(), || "schema".into());
        object.name = cutter.name(texts.required(), || "name".into());
        object.owner = texts.optional();
        object.comment = cutter.optional(texts.optional(), EXPRESSION, || "comment".into());
        object.definition = cutter.optional(texts.optional(), DEFINITION, || "definition".into());
        object.partitions = partitioning(cutter, texts, self.partitions);
        let comments = self.comments.into_iter().filter_map(|(ordinal, mut texts)| Some((ordinal, texts.optional()?)));
        let mut comments: HashMap<i32, String> = comments.collect();
        let columns = self.columns.into_iter();
        object.columns = columns.map(|(at, texts)| column(cutter, at, texts, comments.remove(&at))).collect();
        object.columns.sort_by_key(|column| column.ordinal);
        let names: HashMap<i32, &str> = object.columns.iter().map(|c| (c.ordinal, c.name.as_str())).collect();
        object.constraints = self.constraints.into_iter().map(|texts| constraint(cutter, &names, texts)).collect();
        object.constraints.sort_by(|a, b| a.name.cmp(&b.name));
        object.indexes = self.indexes.into_iter().map(|texts| index(cutter, texts)).collect();
        object.indexes.sort_by(|a, b| a.name.cmp(&b.name));
        object.depends_on = self.dependencies.into_iter().map(|texts| dependency(cutter, catalog, texts)).collect();
        object.depends_on.sort();
        object.depends_on.dedup();
        object.truncated = std::mem::replace(cutter, Cutter::new()).done();
        Some(object)
    }
}

fn column(cutter: &mut Cutter, ordinal: i32, mut texts: Texts, comment: Option<String>) -> Column {
    let name = cutter.name(texts.required(), || format!("columns/{ordinal}/name"));
    let data_type = cutter.name(texts.required(), || format!("columns/{name}/type"));
    let nullable = !texts.flag();
    let expression = texts.optional();
    let identity = texts.optional();
    let generated = texts.optional().is_some_and(|kind| !kind.is_empty());
    let collation = texts.optional();
    let comment = cutter.optional(comment, EXPRESSION, || format!("columns/{name}/comment"));
    let part = if generated { "generated" } else { "default" };
    let expression = cutter.optional(expression, EXPRESSION, || format!("columns/{name}/{part}"));
    let (default, generated) = if generated { (None, expression) } else { (expression, None) };
    let type_family = family(&texts.required(), &texts.required(), &texts.required()).into();
    let identity = match identity.as_deref() {
        Some("a") => Some("ALWAYS".into()),
        Some("d") => Some("BY DEFAULT".into()),
        _ => None,
    };
    Column { name, ordinal, data_type, type_family, nullable, default, generated, identity, collation, comment }
}

fn constraint(cutter: &mut Cutter, names: &HashMap<i32, &str>, mut texts: Texts) -> Constraint {
    let name = cutter.name(texts.required(), || "constraints/name".into());
    let kind = match texts.required().as_str() {
        "p" => ConstraintKind::PrimaryKey,
        "u" => ConstraintKind::Unique,
        "f" => ConstraintKind::ForeignKey,
        "c" => ConstraintKind::Check,
        "x" => ConstraintKind::Exclusion,
        _ => ConstraintKind::Unknown,
    };
    // An array as text: {1,2}. Zero stands for an expression of an exclusion and names no column.
    let numbers = texts.required();
    let numbers = numbers.trim_matches(['{', '}']).split(',').filter_map(|number| number.parse::<i32>().ok());
    let columns = numbers.filter_map(|number| names.get(&number)).map(|name| (*name).to_owned()).collect();
    let definition = cutter.optional(texts.optional(), EXPRESSION, || format!("constraints/{name}/definition"));
    let target = (texts.optional(), texts.optional());
    let references = match target {
        (Some(schema), Some(table)) => {
            Some(ConstraintTarget { object: format!("{schema}.{table}"), columns: texts.rest() })
        }
        _ => None,
    };
    Constraint { name, kind, columns, references, definition }
}

fn index(cutter: &mut Cutter, mut texts: Texts) -> Index {
    let name = cutter.name(texts.required(), || "indexes/name".into());
    let unique = texts.flag();
    let method = texts.required();
    let definition = cutter.text(texts.required(), EXPRESSION, || format!("indexes/{name}/definition"));
    let columns = texts.rest();
    let columns =
        columns.into_iter().map(|text| cutter.text(text, EXPRESSION, || format!("indexes/{name}/columns"))).collect();
    Index { name, unique, columns, method, definition }
}

/// The engine prints `RANGE (key)`; strategy and key are told apart here.
fn partitioning(cutter: &mut Cutter, mut texts: Texts, below: Vec<Texts>) -> Option<Partitioning> {
    let strategy = texts.optional()?;
    let printed = texts.required();
    let key = printed.strip_prefix(strategy.as_str()).unwrap_or(&printed).trim();
    let key = key.strip_prefix('(').and_then(|key| key.strip_suffix(')')).unwrap_or(key).to_owned();
    let key = cutter.text(key, EXPRESSION, || "partitions/key".into());
    let mut partitioning = Partitioning { strategy, key, count: 0, bounds: Vec::with_capacity(below.len()) };
    for mut texts in below {
        partitioning.count = texts.required().parse().unwrap_or_default();
        partitioning.bounds.push(cutter.text(texts.required(), 1024, || "partitions/bounds".into()));
    }
    partitioning.bounds.sort();
    if partitioning.count > 1000 {
        cutter.mark("partitions/bounds");
    }
    Some(partitioning)
}

fn dependency(cutter: &mut Cutter, catalog: &str, mut texts: Texts) -> Dependency {
    Dependency {
        kind: ObjectKind::from_symbol(&texts.required()),
        catalog: catalog.into(),
        schema: cutter.name(texts.required(), || "depends_on/schema".into()),
        name: cutter.name(texts.required(), || "depends_on/name".into()),
        native_id: texts.required(),
    }
}
