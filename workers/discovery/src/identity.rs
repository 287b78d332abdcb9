//! Which listed object is which known one, and the id of those that are new.
//! Owns the table of `semantics.md` section 4; pure. Must not know contents: what an object is called and numbered
//! decides.

use std::collections::{HashMap, HashSet};

use pursight_connectors::postgres::catalog::{Listed, Listing};
use pursight_schemas::{ObjectKind, ids};
use uuid::Uuid;

use crate::base::{Known, State};

/// How a listed object stands to what was known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Same name, same native id.
    Same,
    /// Same native id, other name or schema.
    Renamed,
    /// Same name, other native id.
    Recreated,
    /// Never seen.
    New,
    /// It was dropped, and is there again.
    Returned,
}

/// One listed object with its identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// As listed.
    pub listed: Listed,
    /// Position of its database among the listings.
    pub catalog: usize,
    /// Its id.
    pub object_id: Uuid,
    /// How it stands.
    pub standing: Standing,
    /// Position among what was known.
    pub known: Option<usize>,
}

/// A listing laid over what was known.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Matching {
    /// Names of the databases.
    pub catalogs: Vec<String>,
    /// What is there.
    pub entries: Vec<Entry>,
    /// Positions of what was known, not dropped, and is not listed.
    pub missing: Vec<usize>,
}

/// Which of name and number says more when they disagree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// The same server as last time: numbers tell renames.
    Numbers,
    /// Perhaps another server, where the same numbers stand for other objects.
    Names,
}

type Name<'a> = (&'a str, ObjectKind, &'a str, &'a str);
type Number<'a> = (&'a str, ObjectKind, &'a str);

/// Matches listings against what was known.
pub fn matched(source: Uuid, known: &[Known], listings: Vec<Listing>, trust: Trust) -> Matching {
    let mut found: Vec<Vec<Option<(usize, Standing)>>> = listings.iter().map(|l| vec![None; l.objects.len()]).collect();
    let mut taken = vec![false; known.len()];
    let mut names: HashMap<Name<'_>, usize> = HashMap::new();
    let mut numbers: HashMap<Number<'_>, usize> = HashMap::new();
    for (at, object) in known.iter().enumerate().filter(|(_, object)| object.state != State::Dropped) {
        names.insert((&object.catalog, object.kind, &object.schema, &object.name), at);
        if let Some(native) = &object.native_id {
            numbers.insert((&object.catalog, object.kind, native), at);
        }
    }
    let by_name = |catalog: &str, listed: &Listed| {
        names.get(&(catalog, listed.kind, listed.schema.as_str(), listed.name.as_str())).copied()
    };
    let by_number =
        |catalog: &str, listed: &Listed| numbers.get(&(catalog, listed.kind, listed.native_id.as_str())).copied();
    // by number first: names of triggers are `table.trigger`, and two of them may read the same
    let same = |catalog: &str, listed: &Listed| {
        let named = |at: &usize| (&known[*at].schema, &known[*at].name) == (&listed.schema, &listed.name);
        let unnumbered = |at: &usize| known[*at].native_id.is_none();
        by_number(catalog, listed).filter(named).or_else(|| by_name(catalog, listed).filter(unnumbered))
    };
    take(&listings, &mut found, &mut taken, Standing::Same, same);
    match trust {
        Trust::Numbers => {
            take(&listings, &mut found, &mut taken, Standing::Renamed, by_number);
            take(&listings, &mut found, &mut taken, Standing::Recreated, by_name);
        }
        Trust::Names => {
            take(&listings, &mut found, &mut taken, Standing::Recreated, by_name);
            take(&listings, &mut found, &mut taken, Standing::Renamed, by_number);
        }
    }
    let missing = (0..known.len()).filter(|at| !taken[*at] && known[*at].state != State::Dropped).collect();
    Matching { missing, ..entries(source, known, listings, found) }
}

fn take(
    listings: &[Listing],
    found: &mut [Vec<Option<(usize, Standing)>>],
    taken: &mut [bool],
    standing: Standing,
    find: impl Fn(&str, &Listed) -> Option<usize>,
) {
    for (listing, found) in listings.iter().zip(found) {
        for (listed, found) in listing.objects.iter().zip(found).filter(|(_, found)| found.is_none()) {
            if let Some(at) = find(&listing.catalog, listed).filter(|at| !taken[*at]) {
                taken[at] = true;
                *found = Some((at, standing));
            }
        }
    }
}

fn entries(
    source: Uuid,
    known: &[Known],
    listings: Vec<Listing>,
    found: Vec<Vec<Option<(usize, Standing)>>>,
) -> Matching {
    let mut given: HashSet<Uuid> = HashSet::new();
    let ids: HashMap<Uuid, usize> = known.iter().enumerate().map(|(at, object)| (object.object_id, at)).collect();
    let mut matching = Matching::default();
    for (catalog, (listing, found)) in listings.into_iter().zip(found).enumerate() {
        for (listed, found) in listing.objects.into_iter().zip(found) {
            let (object_id, standing, known) = match found {
                Some((at, standing)) => (known[at].object_id, standing, Some(at)),
                None => unmatched(source, (known, &ids, &given), &listing.catalog, &listed),
            };
            if standing == Standing::New {
                given.insert(object_id);
            }
            matching.entries.push(Entry { listed, catalog, object_id, standing, known });
        }
        matching.catalogs.push(listing.catalog);
    }
    matching
}

/// An object under a new id, or one that was dropped and is back.
fn unmatched(
    source: Uuid,
    (known, ids, given): (&[Known], &HashMap<Uuid, usize>, &HashSet<Uuid>),
    catalog: &str,
    listed: &Listed,
) -> (Uuid, Standing, Option<usize>) {
    let id = |again| ids::object_id(source, listed.kind, catalog, &listed.schema, &listed.name, again);
    let first = id(None);
    let mut object_id = first;
    for candidate in [first, id(Some(listed.native_id.as_str()))] {
        object_id = candidate;
        match ids.get(&candidate).map(|at| (*at, &known[*at])) {
            None if given.contains(&candidate) => {}
            None => break,
            Some((at, before)) => {
                let back = before.native_id.as_ref().is_none_or(|native| *native == listed.native_id);
                if before.state == State::Dropped && back {
                    return (candidate, Standing::Returned, Some(at));
                }
            }
        }
    }
    (object_id, Standing::New, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: Uuid = Uuid::from_u128(1);

    fn id(name: &str, again: Option<&str>) -> Uuid {
        ids::object_id(SOURCE, ObjectKind::Table, "db", "s", name, again)
    }

    fn known(name: &str, native: &str, state: State) -> Known {
        Known {
            object_id: id(name, None),
            kind: ObjectKind::Table,
            catalog: "db".into(),
            schema: "s".into(),
            name: name.into(),
            native_id: Some(native.into()),
            state,
            ..Known::default()
        }
    }

    fn listing(objects: &[(&str, &str)]) -> Vec<Listing> {
        let objects = objects.iter().map(|(name, native)| Listed {
            kind: ObjectKind::Table,
            schema: "s".into(),
            name: (*name).into(),
            native_id: (*native).into(),
            parent: None,
        });
        vec![Listing { catalog: "db".into(), objects: objects.collect(), complete: true }]
    }

    fn standings(
        known: &[Known],
        listed: &[(&str, &str)],
        trust: Trust,
    ) -> (Vec<(Standing, Option<usize>)>, Vec<usize>) {
        let matching = matched(SOURCE, known, listing(listed), trust);
        (matching.entries.iter().map(|entry| (entry.standing, entry.known)).collect(), matching.missing)
    }

    #[test]
    fn name_and_number_tell_what_an_object_is() {
        let base = [known("a", "1", State::Live), known("b", "2", State::Live), known("c", "3", State::OutOfScope)];
        let (found, missing) = standings(&base, &[("a", "1"), ("x", "2"), ("c", "9"), ("new", "7")], Trust::Numbers);
        let wanted = [
            (Standing::Same, Some(0)),
            (Standing::Renamed, Some(1)),
            (Standing::Recreated, Some(2)),
            (Standing::New, None),
        ];
        assert_eq!(found, wanted);
        assert_eq!(missing, Vec::<usize>::new());
        assert_eq!(standings(&base, &[], Trust::Numbers).1, [0, 1, 2]);
    }

    #[test]
    fn exchanged_tables_are_renames_on_the_same_server_and_recreated_on_another() {
        let base = [known("a", "1", State::Live), known("b", "2", State::Live)];
        let swapped = [("a", "2"), ("b", "1")];
        let renamed = vec![(Standing::Renamed, Some(1)), (Standing::Renamed, Some(0))];
        assert_eq!(standings(&base, &swapped, Trust::Numbers).0, renamed);
        let recreated = vec![(Standing::Recreated, Some(0)), (Standing::Recreated, Some(1))];
        assert_eq!(standings(&base, &swapped, Trust::Names).0, recreated);
    }

    #[test]
    fn an_id_is_never_given_to_a_second_object() {
        let of = |base: &[Known], native: &str| {
            matched(SOURCE, base, listing(&[("a", native)]), Trust::Numbers).entries[0].clone()
        };
        assert_eq!(of(&[], "1").object_id, id("a", None));
        let dropped = [known("a", "1", State::Dropped)];
        assert_eq!((of(&dropped, "1").object_id, of(&dropped, "1").standing), (id("a", None), Standing::Returned));
        assert_eq!((of(&dropped, "2").object_id, of(&dropped, "2").standing), (id("a", Some("2")), Standing::New));
        // first seen as `a`, renamed to `z`, and now another `a`
        let mut renamed = known("z", "1", State::Live);
        renamed.object_id = id("a", None);
        let both = matched(SOURCE, &[renamed], listing(&[("z", "1"), ("a", "2")]), Trust::Numbers).entries;
        assert_eq!((both[0].object_id, both[1].object_id), (id("a", None), id("a", Some("2"))));
    }

    #[test]
    fn two_objects_that_read_the_same_are_two() {
        let twins = [("a.b.c", "1"), ("a.b.c", "2")];
        let first = matched(SOURCE, &[], listing(&twins), Trust::Numbers).entries;
        assert_eq!((first[0].object_id, first[1].object_id), (id("a.b.c", None), id("a.b.c", Some("2"))));
        let mut base = [known("a.b.c", "1", State::Live), known("a.b.c", "2", State::Live)];
        base[1].object_id = first[1].object_id;
        let same = vec![(Standing::Same, Some(0)), (Standing::Same, Some(1))];
        assert_eq!(standings(&base, &twins, Trust::Numbers), (same.clone(), vec![]));
        assert_eq!(standings(&base, &twins, Trust::Names), (same, vec![]));
    }

    #[test]
    fn numbers_of_other_kinds_and_databases_are_other_numbers() {
        let mut view = known("a", "1", State::Live);
        view.kind = ObjectKind::View;
        let mut elsewhere = known("a", "1", State::Live);
        elsewhere.catalog = "other".into();
        let (found, missing) = standings(&[view, elsewhere], &[("b", "1")], Trust::Numbers);
        assert_eq!((found, missing), (vec![(Standing::New, None)], vec![0, 1]));
    }
}
