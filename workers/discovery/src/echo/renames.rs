//! What was renamed in a run: objects from the listing, columns as they are found.
//! Owns the set and who may be touched by which rename; must not know how a rename is recognised.

use std::collections::{HashMap, HashSet};

use pursight_schemas::ObjectKind;

use super::tokens::{Pairs, Token, lex};
use crate::content::Content;
use crate::diff::path::qualified;

/// Schema and name, before and after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renamed {
    /// What it is.
    pub kind: ObjectKind,
    /// Schema and name before.
    pub before: (String, String),
    /// Schema and name after.
    pub after: (String, String),
}

/// All renames of a run in one database.
#[derive(Debug, Clone, Default)]
pub struct Renames {
    names: HashSet<(String, String)>,
    relations: HashMap<(String, String), (String, String)>,
    targets: HashMap<String, String>,
    types: HashSet<(String, String)>,
    labels: HashSet<(String, String)>,
    columns: HashMap<(String, String), Vec<(String, String)>>,
}

impl Renames {
    /// Notes that an object has another name.
    pub fn object(&mut self, renamed: &Renamed) {
        let (before, after) = (&renamed.before, &renamed.after);
        let parts = [
            (before.0.clone(), after.0.clone()),
            (own_name(renamed.kind, &before.1), own_name(renamed.kind, &after.1)),
        ];
        let parts = parts.into_iter().filter(|(old, new)| old != new);
        match renamed.kind {
            ObjectKind::Routine | ObjectKind::Trigger | ObjectKind::Sequence => self.names.extend(parts),
            _ => {
                self.types.extend(parts.clone());
                self.names.extend(parts);
                for name in [plain, qualified] {
                    self.targets.insert(name(&before.0, &before.1), name(&after.0, &after.1));
                }
                self.relations.insert(before.clone(), after.clone());
            }
        }
    }

    /// Notes columns of the object that is now called `schema.name`.
    pub fn columns(&mut self, schema: &str, name: &str, renames: &[(String, String)]) {
        if !renames.is_empty() {
            self.columns.entry((schema.to_owned(), name.to_owned())).or_default().extend_from_slice(renames);
        }
    }

    /// Notes labels of an enumeration that read otherwise while there are as many as before.
    pub fn labels(&mut self, before: &str, after: &str) {
        let labels = |text: &str| -> Vec<String> {
            let literal = |token| if let Token::Literal(label) = token { Some(label) } else { None };
            lex(text).into_iter().filter_map(literal).collect()
        };
        let (before, after) = (labels(before), labels(after));
        if before.len() == after.len() {
            self.labels.extend(before.into_iter().zip(after).filter(|(old, new)| old != new));
        }
    }

    /// What may be printed differently inside of `object`: everything that was renamed, and columns of itself, of what
    /// it needs and of what its foreign keys point at.
    pub fn seen_by<'a>(&'a self, object: &'a Content, own: &'a [(String, String)]) -> Seen<'a> {
        let mut columns: Vec<&(String, String)> = own.iter().collect();
        let needed = object.depends_on.iter().map(|needed| (needed.schema.clone(), needed.name.clone()));
        columns.extend(needed.filter_map(|key| self.columns.get(&key)).flatten());
        let mut seen = Seen { renames: self, own, columns };
        let targets: Vec<&str> =
            object.constraints.iter().filter_map(|c| c.references.as_ref()).map(|t| t.object.as_str()).collect();
        seen.columns.extend(targets.into_iter().flat_map(|target| self.columns_of(target)));
        seen
    }

    /// Column renames of a foreign key's target as it is printed now.
    pub fn columns_of(&self, target: &str) -> impl Iterator<Item = &(String, String)> {
        let is =
            move |(schema, name): &(String, String)| plain(schema, name) == target || qualified(schema, name) == target;
        self.columns.iter().filter(move |(key, _)| is(key)).flat_map(|(_, renames)| renames)
    }

    /// Whether a relation or type was renamed from the one to the other.
    pub fn relation(&self, before: &(String, String), after: &(String, String)) -> bool {
        self.relations.get(before) == Some(after)
    }

    /// Names of relations and types only, without those of routines and triggers.
    pub fn types(&self) -> &HashSet<(String, String)> {
        &self.types
    }

    /// The text that names a foreign key's target after the run's renames.
    pub fn target<'a>(&'a self, before: &'a str) -> &'a str {
        self.targets.get(before).map_or(before, String::as_str)
    }
}

fn plain(schema: &str, name: &str) -> String {
    format!("{schema}.{name}")
}

/// The name as it is printed inside of definitions: without arguments, without the table.
fn own_name(kind: ObjectKind, name: &str) -> String {
    let own = match kind {
        ObjectKind::Routine => name.split_once('(').map_or(name, |(own, _)| own),
        ObjectKind::Trigger => name.rsplit_once('.').map_or(name, |(_, own)| own),
        _ => name,
    };
    own.to_owned()
}

/// The renames that one object can print.
#[derive(Debug)]
pub struct Seen<'a> {
    /// All of them.
    pub renames: &'a Renames,
    /// Its own columns'.
    pub own: &'a [(String, String)],
    columns: Vec<&'a (String, String)>,
}

impl Pairs for Seen<'_> {
    fn relabelled(&self, before: &str, after: &str) -> bool {
        self.renames.labels.renamed(before, after)
    }

    fn renamed(&self, before: &str, after: &str) -> bool {
        self.renames.names.renamed(before, after) || self.columns.iter().any(|(old, new)| old == before && new == after)
    }
}
