//! What a catalog reading yields, as plain data.
//! Owns the shapes and the hashes of scope and visibility; must not know SQL. The parts of an object are the records of
//! the contract.

use pursight_schemas::hash::Canonical;
use pursight_schemas::{Column, Constraint, Index, ObjectKind, Partitioning, ScopeFilter};

/// Names, kinds and native ids of everything in scope, from one snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Listing {
    /// The current database.
    pub catalog: String,
    /// In order of native id within a kind.
    pub objects: Vec<Listed>,
    /// False when the list was cut off at the cap.
    pub complete: bool,
}

/// One object of a listing.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Listed {
    /// What it is.
    pub kind: ObjectKind,
    /// Its schema.
    pub schema: String,
    /// Its name: of a routine `name(argument types)`, of a trigger `table.trigger`.
    pub name: String,
    /// The oid, as text.
    pub native_id: String,
    /// Native id of the table that a trigger sits on; a drop of it entails this object.
    pub parent: Option<String>,
}

/// One object with everything that the contract says about it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CatalogObject {
    /// What it is.
    pub kind: ObjectKind,
    /// The database.
    pub catalog: String,
    /// Its schema.
    pub schema: String,
    /// Its name, built as in [`Listed::name`].
    pub name: String,
    /// The oid, as text.
    pub native_id: String,
    /// Owning role.
    pub owner: Option<String>,
    /// Comment.
    pub comment: Option<String>,
    /// By attribute number; `ordinal` is that number, so it stays through a rename and has gaps after drops.
    pub columns: Vec<Column>,
    /// By name. NOT NULL is a property of the column, never a constraint here.
    pub constraints: Vec<Constraint>,
    /// By name, without those that a constraint owns: such an index is part of its constraint.
    pub indexes: Vec<Index>,
    /// Of a partitioned table.
    pub partitions: Option<Partitioning>,
    /// Of a view, routine, trigger, type or sequence.
    pub definition: Option<String>,
    /// What it needs among the listed kinds, in order of kind and name.
    pub depends_on: Vec<Dependency>,
    /// Paths that were cut at a cap.
    pub truncated: Vec<String>,
}

/// An object that another one needs; it may lie outside of the scope.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Dependency {
    /// What it is.
    pub kind: ObjectKind,
    /// The database.
    pub catalog: String,
    /// Its schema.
    pub schema: String,
    /// Its name, built as in [`Listed::name`].
    pub name: String,
    /// The oid, as text.
    pub native_id: String,
}

/// What decides which catalog rows and rights a session has. Where it differs, absence proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Visibility {
    /// The role that asked.
    pub role: String,
    /// Whether it is a superuser.
    pub superuser: bool,
    /// Roles it is a member of, at any depth, sorted.
    pub memberships: Vec<String>,
    /// Schemas that exist and that it may not use, sorted. Not those that it may: a dropped schema would leave that list,
    /// and its tables would then never be missed. A grant or a revocation moves either list.
    pub closed_schemas: Vec<String>,
    /// The cluster's system identifier where the role may read it, else the database's oid; with the database's name.
    pub server_identity: String,
    /// In recovery.
    pub standby: bool,
}

impl Visibility {
    /// The `visibility_hash` of a run.
    pub fn hash(&self) -> String {
        let mut canonical = Canonical::new();
        canonical.text(&self.role).set(texts(&self.memberships)).flag(self.superuser).set(texts(&self.closed_schemas));
        canonical.text(&self.server_identity).text(if self.standby { "standby" } else { "primary" });
        canonical.sha256()
    }
}

/// A hash over the catalog rows in scope; equal means that nothing was defined, altered or dropped in between.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Fingerprint(pub String);

/// The `scope_hash` of a run: its filter, in which order and repetition mean nothing, and the databases it looks at.
pub fn scope_hash(scope: &ScopeFilter, databases: &[String]) -> String {
    let mut canonical = Canonical::new();
    for part in [&scope.include, &scope.exclude] {
        canonical.set(texts(&normalised(part)));
    }
    canonical.set(texts(&normalised(databases)));
    canonical.sha256()
}

fn normalised(texts: &[String]) -> Vec<String> {
    let mut texts: Vec<String> = texts.iter().map(|text| text.trim().to_owned()).filter(|t| !t.is_empty()).collect();
    texts.sort();
    texts.dedup();
    texts
}

fn texts(texts: &[String]) -> Vec<Canonical> {
    texts
        .iter()
        .map(|text| {
            let mut canonical = Canonical::new();
            canonical.text(text);
            canonical
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(include: &[&str], exclude: &[&str]) -> ScopeFilter {
        let owned = |globs: &[&str]| globs.iter().map(|glob| (*glob).to_owned()).collect();
        ScopeFilter { include: owned(include), exclude: owned(exclude) }
    }

    #[test]
    fn scope_hash_ignores_order_blanks_and_repetition_and_nothing_else() {
        let one = scope_hash(&scope(&["a.*", "b.*"], &[]), &["d".to_owned()]);
        assert_eq!(one, scope_hash(&scope(&["b.*", " a.* ", "a.*", ""], &[]), &["d".to_owned()]));
        assert_ne!(one, scope_hash(&scope(&["a.*"], &["b.*"]), &["d".to_owned()]));
        assert_ne!(one, scope_hash(&scope(&["a.*", "b.*"], &[]), &["e".to_owned()]));
    }

    #[test]
    fn visibility_hash_moves_with_each_of_its_parts() {
        let base = Visibility { role: "r".into(), memberships: vec!["m".into()], ..Visibility::default() };
        let others = [
            Visibility { role: "s".into(), ..base.clone() },
            Visibility { superuser: true, ..base.clone() },
            Visibility { memberships: vec![], ..base.clone() },
            Visibility { closed_schemas: vec!["m".into()], ..base.clone() },
            Visibility { server_identity: "1".into(), ..base.clone() },
            Visibility { standby: true, ..base.clone() },
        ];
        for other in &others {
            assert_ne!(base.hash(), other.hash(), "{other:?}");
        }
        assert_eq!(base.hash(), base.clone().hash());
    }
}
