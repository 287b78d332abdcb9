//! Changes of indexes that belong to no constraint. An index is known by its name; one that vanished and one that came
//! are the same if their definitions differ in nothing but the name. Must not know columns or constraints.

use pursight_schemas::{Change, ChangeKind, Index};

use super::change;
use super::path::{join, written};
use crate::echo::tokens::{Token, lex};

/// Changes of a list of indexes.
pub fn diff(before: &[Index], after: &[Index], changes: &mut Vec<Change>) {
    let (mut old, mut new) = (sorted(before), sorted(after));
    let mut pairs = Vec::new();
    take(&mut old, &mut new, |a, b| a.name == b.name, &mut pairs);
    take(&mut old, &mut new, only_renamed, &mut pairs);
    for (before, after) in pairs.into_iter().filter(|(before, after)| before != after) {
        changes.push(one(ChangeKind::IndexChanged, Some(before), Some(after)));
    }
    changes.extend(old.into_iter().map(|index| one(ChangeKind::IndexDropped, Some(index), None)));
    changes.extend(new.into_iter().map(|index| one(ChangeKind::IndexAdded, None, Some(index))));
}

fn sorted(list: &[Index]) -> Vec<&Index> {
    let mut sorted: Vec<&Index> = list.iter().collect();
    sorted.sort_by(|a, b| a.name.cmp(&b.name));
    sorted
}

fn take<'a>(
    old: &mut Vec<&'a Index>,
    new: &mut Vec<&'a Index>,
    same: impl Fn(&Index, &Index) -> bool,
    pairs: &mut Vec<(&'a Index, &'a Index)>,
) {
    old.retain(|before| {
        let Some(at) = new.iter().position(|after| same(before, after)) else { return true };
        pairs.push((before, new.remove(at)));
        false
    });
}

fn only_renamed(a: &Index, b: &Index) -> bool {
    (a.unique, &a.columns, &a.method) == (b.unique, &b.columns, &b.method) && nameless(a) == nameless(b)
}

/// The definition's tokens without the first one that is the index's own name.
fn nameless(index: &Index) -> Vec<Token> {
    let mut tokens = lex(&index.definition);
    if let Some(at) = tokens.iter().position(|token| *token == Token::Name(index.name.clone())) {
        tokens.remove(at);
    }
    tokens
}

fn one(kind: ChangeKind, before: Option<&Index>, after: Option<&Index>) -> Change {
    let name = before.or(after).map_or("", |index| index.name.as_str());
    change(kind, join(&["indexes", name]), before.map(written), after.map(written))
}
