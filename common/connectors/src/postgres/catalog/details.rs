//! The details of many objects in one statement.
//! Owns which statement answers for which kind, and how its rows are put together; must not know pages or load. One
//! statement is one snapshot, so the parts of an object fit each other.

use std::collections::HashMap;

use pursight_schemas::{ObjectKind, Problem};
use tokio_postgres::Row;

use super::object::Parts;
use super::rows::{Rows, Texts, field};
use super::types::CatalogObject;

/// Kinds that one statement reads together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    /// Types first: a reader meets a column's type before the column.
    Type,
    Sequence,
    Relation,
    Routine,
    Trigger,
}

const RELATIONS: &str = concat!(
    include_str!("sql/relation_page.sql"),
    include_str!("sql/relation.sql"),
    "UNION ALL\n",
    include_str!("sql/columns.sql"),
    "UNION ALL\n",
    include_str!("sql/constraints.sql"),
    "UNION ALL\n",
    include_str!("sql/indexes.sql"),
    "UNION ALL\n",
    include_str!("sql/partitions.sql"),
    "UNION ALL\n",
    include_str!("sql/dependencies.sql"),
);
const SEQUENCES: &str = include_str!("sql/sequences.sql");
const ROUTINES: &str = concat!(
    include_str!("sql/routine_page.sql"),
    include_str!("sql/routines.sql"),
    "UNION ALL\n",
    include_str!("sql/dependencies.sql"),
);
const TRIGGERS: &str = concat!(
    include_str!("sql/trigger_page.sql"),
    include_str!("sql/triggers.sql"),
    "UNION ALL\n",
    include_str!("sql/dependencies.sql"),
);
const TYPES: &str = concat!(
    include_str!("sql/type_page.sql"),
    include_str!("sql/types.sql"),
    "UNION ALL\n",
    include_str!("sql/columns.sql"),
);

impl Class {
    pub(super) fn of(kind: ObjectKind) -> Self {
        match kind {
            ObjectKind::Type => Self::Type,
            ObjectKind::Sequence => Self::Sequence,
            ObjectKind::Routine => Self::Routine,
            ObjectKind::Trigger => Self::Trigger,
            _ => Self::Relation,
        }
    }

    fn sql(self) -> &'static str {
        match self {
            Self::Type => TYPES,
            Self::Sequence => SEQUENCES,
            Self::Relation => RELATIONS,
            Self::Routine => ROUTINES,
            Self::Trigger => TRIGGERS,
        }
    }
}

/// What one statement brought.
pub(super) struct Details {
    /// By oid; what is not here does not exist any more.
    pub(super) objects: HashMap<u32, CatalogObject>,
    /// Rows received.
    pub(super) rows: usize,
}

/// Reads the objects with these oids.
pub(super) async fn details(rows: &dyn Rows, catalog: &str, class: Class, oids: &[u32]) -> Result<Details, Problem> {
    let mut parts: HashMap<u32, Parts> = HashMap::with_capacity(oids.len());
    let mut count = 0;
    let mut take = |row: &Row| {
        count += 1;
        collect(&mut parts, row)
    };
    rows.each(class.sql(), &[&oids], &mut take).await?;
    let objects = parts.into_iter().filter_map(|(oid, parts)| Some((oid, parts.assemble(catalog, oid)?))).collect();
    Ok(Details { objects, rows: count })
}

fn collect(parts: &mut HashMap<u32, Parts>, row: &Row) -> Result<(), Problem> {
    let (part, oid, position) = (field::<&str>(row, 0)?, field::<u32>(row, 1)?, field::<i32>(row, 2)?);
    let (of, texts) = (parts.entry(oid).or_default(), Texts::read(row, 3)?);
    match part {
        "object" => of.object = Some(texts),
        "column" => of.columns.push((position, texts)),
        "comment" => of.comments.push((position, texts)),
        "constraint" => of.constraints.push(texts),
        "index" => of.indexes.push(texts),
        "partition" => of.partitions.push(texts),
        _ => of.dependencies.push(texts),
    }
    Ok(())
}
