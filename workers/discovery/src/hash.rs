//! The hashes that persist: of one object's content and of a whole source.
//! Owns which fields they cover and in which order; the canonical bytes are those of the language.

use pursight_schemas::hash::Canonical;
use pursight_schemas::{Column, Constraint, Index};
use uuid::Uuid;

use crate::content::{Content, needed_key, plain_text};

/// Hash of what two versions of an object can differ in. Positions, native ids, sizes and partitions are no part of it.
pub fn content_hash(content: &Content) -> String {
    let mut canonical = Canonical::new();
    canonical.text(content.kind.symbol()).text(&content.catalog).text(&content.schema).text(&content.name);
    canonical.optional(content.owner.as_deref()).optional(content.comment.as_deref());
    by_name(&mut canonical, &content.columns, |column| &column.name, column);
    by_name(&mut canonical, &content.constraints, |constraint| &constraint.name, constraint);
    by_name(&mut canonical, &content.indexes, |index| &index.name, index);
    let partitions = content.partitions.as_ref();
    canonical.optional(partitions.map(|partitions| partitions.strategy.as_str()));
    canonical.optional(partitions.map(|partitions| partitions.key.as_str()));
    canonical.optional(content.definition.as_deref().map(plain_text).as_deref());
    let needed = content.depends_on.iter().map(|needed| {
        let (kind, catalog, schema, name) = needed_key(needed);
        Canonical::new().text(kind.symbol()).text(catalog).text(schema).text(name).clone()
    });
    canonical.set(needed.collect());
    canonical.sha256()
}

/// Hash of a source: the content hashes sorted by object id, each after its id.
pub fn root_hash(objects: impl IntoIterator<Item = (Uuid, String)>) -> String {
    let mut objects: Vec<(Uuid, String)> = objects.into_iter().collect();
    objects.sort();
    let mut canonical = Canonical::new();
    canonical.count(objects.len());
    for (id, hash) in &objects {
        canonical.text(&id.to_string()).text(hash);
    }
    canonical.sha256()
}

fn by_name<T>(canonical: &mut Canonical, list: &[T], name: fn(&T) -> &String, write: fn(&mut Canonical, &T)) {
    let mut sorted: Vec<&T> = list.iter().collect();
    sorted.sort_by(|a, b| name(a).cmp(name(b)));
    canonical.count(sorted.len());
    for element in sorted {
        write(canonical, element);
    }
}

fn column(canonical: &mut Canonical, column: &Column) {
    canonical.text(&column.name).text(&column.data_type).flag(column.nullable);
    for part in [&column.default, &column.generated, &column.identity, &column.collation, &column.comment] {
        canonical.optional(part.as_deref());
    }
}

fn constraint(canonical: &mut Canonical, constraint: &Constraint) {
    canonical.text(&constraint.name).text(constraint.kind.symbol());
    canonical.list(constraint.columns.iter().map(String::as_str));
    let target = constraint.references.as_ref();
    canonical.optional(target.map(|target| target.object.as_str()));
    if let Some(target) = target {
        canonical.list(target.columns.iter().map(String::as_str));
    }
    canonical.optional(constraint.definition.as_deref());
}

fn index(canonical: &mut Canonical, index: &Index) {
    canonical.text(&index.name).flag(index.unique);
    canonical.list(index.columns.iter().map(String::as_str)).text(&index.method).text(&index.definition);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Content {
        let column = |name: &str, ordinal| Column {
            name: name.into(),
            ordinal,
            data_type: "integer".into(),
            ..Column::default()
        };
        Content { name: "t".into(), columns: vec![column("a", 1), column("b", 2)], ..Content::default() }
    }

    #[test]
    fn position_order_native_id_and_trailing_blanks_are_no_content() {
        let mut other = table();
        other.columns.reverse();
        other.columns[0].ordinal = 9;
        other.native_id = Some("7".into());
        assert_eq!(content_hash(&table()), content_hash(&other));
        let with = |text: &str| Content { definition: Some(text.into()), ..table() };
        assert_eq!(content_hash(&with("SELECT 1 \r\nFROM x\n")), content_hash(&with("SELECT 1\nFROM x")));
        assert_ne!(content_hash(&with("SELECT 1")), content_hash(&with(" SELECT 1")));
    }

    #[test]
    fn each_part_of_a_column_is_content() {
        let changes: [fn(&mut Column); 8] = [
            |column| column.name = "z".into(),
            |column| column.data_type = "bigint".into(),
            |column| column.nullable = true,
            |column| column.default = Some(String::new()),
            |column| column.generated = Some(String::new()),
            |column| column.identity = Some(String::new()),
            |column| column.collation = Some(String::new()),
            |column| column.comment = Some(String::new()),
        ];
        let mut seen = std::collections::BTreeSet::from([content_hash(&table())]);
        for change in changes {
            let mut other = table();
            change(&mut other.columns[0]);
            assert!(seen.insert(content_hash(&other)));
        }
    }

    #[test]
    fn the_root_does_not_depend_on_the_order_of_reading() {
        let (a, b) = ((Uuid::from_u128(1), "x".to_owned()), (Uuid::from_u128(2), "y".to_owned()));
        assert_eq!(root_hash([a.clone(), b.clone()]), root_hash([b.clone(), a.clone()]));
        assert_ne!(root_hash([a.clone()]), root_hash([a, b]));
    }
}
