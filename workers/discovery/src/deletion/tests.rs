//! Every way in which something can be missing.

use pursight_schemas::ObjectKind;

use super::*;
use crate::base::LastComplete;

/// `count` tables in each of the schemas, all of them in the last complete listing.
fn base(schemas: &[(&str, usize)]) -> Base {
    let mut objects = Vec::new();
    for (schema, count) in schemas {
        for number in 0..*count {
            objects.push(Known {
                object_id: Uuid::from_u128(objects.len() as u128 + 1),
                kind: ObjectKind::Table,
                catalog: "db".into(),
                schema: (*schema).into(),
                name: format!("t{number}"),
                listed: true,
                ..Known::default()
            });
        }
    }
    let last = LastComplete { scope_hash: "scope".into(), visibility_hash: "sight".into(), ..LastComplete::default() };
    Base { objects, last_complete: Some(last), ..Base::default() }
}

struct Asked {
    base: Base,
    missing: Vec<usize>,
    complete: bool,
    scope: ScopeFilter,
    hashes: (&'static str, &'static str),
    catalogs: Vec<String>,
    schemas: BTreeSet<(String, String)>,
    confirms: Option<Uuid>,
}

impl Asked {
    fn of(base: Base, missing: impl IntoIterator<Item = usize>) -> Self {
        let schemas = base.objects.iter().map(|object| (object.catalog.clone(), object.schema.clone())).collect();
        Self {
            base,
            missing: missing.into_iter().collect(),
            complete: true,
            scope: ScopeFilter::default(),
            hashes: ("scope", "sight"),
            catalogs: vec!["db".into()],
            schemas,
            confirms: None,
        }
    }

    fn verdict(&self) -> (Vec<usize>, Vec<usize>) {
        let verdict = self.judge();
        let mut dropped: Vec<usize> = verdict.dropped.into_iter().map(|drop| drop.known).collect();
        dropped.sort_unstable();
        (dropped, verdict.held)
    }

    fn judge(&self) -> Verdict {
        judge(&Question {
            base: &self.base,
            missing: &self.missing,
            complete: self.complete,
            scope: &self.scope,
            scope_hash: self.hashes.0,
            visibility_hash: self.hashes.1,
            catalogs: &self.catalogs,
            schemas: &self.schemas,
            confirms: self.confirms,
        })
    }
}

const NONE: Vec<usize> = Vec::new();

#[test]
fn an_object_that_a_complete_listing_lacks_is_dropped() {
    assert_eq!(Asked::of(base(&[("s", 5)]), [1, 3]).verdict(), (vec![1, 3], NONE));
}

#[test]
fn an_incomplete_listing_says_nothing() {
    let mut asked = Asked::of(base(&[("s", 5)]), [1]);
    asked.complete = false;
    assert_eq!(asked.verdict(), (NONE, NONE));
}

#[test]
fn under_another_scope_or_visibility_nothing_is_dropped_and_what_is_missing_is_held() {
    for hashes in [("other", "sight"), ("scope", "other"), ("other", "other")] {
        let mut asked = Asked::of(base(&[("s", 5)]), [1]);
        asked.hashes = hashes;
        assert_eq!(asked.verdict(), (NONE, vec![1]), "{hashes:?}");
        let verdict = asked.judge();
        assert_eq!((verdict.scope_changed, verdict.visibility_changed), (hashes.0 == "other", hashes.1 == "other"));
    }
}

#[test]
fn what_the_filter_leaves_out_or_lies_in_another_database_is_not_missing() {
    let mut asked = Asked::of(base(&[("s", 5), ("r", 5)]), 0..10);
    asked.hashes.0 = "other";
    asked.scope = ScopeFilter { include: vec!["r.*".into()], exclude: vec!["*.t4".into()] };
    assert_eq!(asked.verdict(), (NONE, vec![5, 6, 7, 8]));
    asked.catalogs = vec!["elsewhere".into()];
    assert_eq!(asked.verdict(), (NONE, NONE));
}

#[test]
fn what_was_not_in_the_last_complete_listing_is_not_dropped() {
    let mut asked = Asked::of(base(&[("s", 5)]), [1]);
    asked.base.objects[1].listed = false;
    assert_eq!(asked.verdict(), (NONE, vec![1]));
    asked.base.objects[1].listed = true;
    asked.base.last_complete = None;
    assert_eq!(asked.verdict(), (NONE, vec![1]));
}

#[test]
fn ten_and_more_than_thirty_percent_are_held() {
    assert_eq!(Asked::of(base(&[("s", 29)]), 0..9).verdict(), ((0..9).collect(), NONE), "nine are few");
    assert_eq!(Asked::of(base(&[("s", 34)]), 0..10).verdict().0.len(), 10, "29 %");
    assert_eq!(Asked::of(base(&[("s", 33)]), 0..10).verdict().1.len(), 10, "30.3 %");
}

#[test]
fn ten_that_are_all_of_a_schema_are_held() {
    assert_eq!(Asked::of(base(&[("s", 10), ("r", 990)]), 0..10).verdict().1.len(), 10);
    assert_eq!(Asked::of(base(&[("s", 11), ("r", 989)]), 0..10).verdict().0.len(), 10);
    assert_eq!(Asked::of(base(&[("s", 1), ("r", 989)]), [0]).verdict().0, [0], "one table was all of its schema");
}

fn held() -> Asked {
    let mut asked = Asked::of(base(&[("s", 20)]), 0..12);
    let run = Uuid::from_u128(99);
    asked.base.held = asked.base.objects[..12].iter().map(|object| (object.object_id, run)).collect();
    asked
}

#[test]
fn a_hold_lasts_until_it_is_confirmed_or_the_objects_are_seen_again() {
    let mut asked = held();
    assert_eq!(asked.verdict().1.len(), 12);
    asked.missing = vec![0, 1, 15];
    assert_eq!(asked.verdict(), (vec![15], vec![0, 1]), "few are left, but nobody confirmed them");
    asked.confirms = Some(Uuid::from_u128(99));
    assert_eq!(asked.verdict(), (vec![0, 1, 15], NONE));
    asked.missing = (0..12).collect();
    assert_eq!(asked.verdict().0.len(), 12);
    asked.missing = NONE;
    assert_eq!(asked.verdict(), (NONE, NONE));
}

#[test]
fn a_confirmation_drops_only_what_was_held_and_only_what_can_be_seen() {
    let mut asked = held();
    asked.confirms = Some(Uuid::from_u128(99));
    asked.missing = (0..20).collect();
    assert_eq!(asked.verdict().0.len(), 20, "eight more are few");
    asked.base = base(&[("s", 40)]);
    asked.base.held = held().base.held;
    asked.missing = (0..32).collect();
    let (dropped, still) = asked.verdict();
    assert_eq!((dropped, still.len()), ((0..12).collect::<Vec<_>>(), 20), "twenty more are many");
    asked.hashes.1 = "other";
    assert_eq!(asked.verdict().0, NONE);
    asked.hashes.1 = "sight";
    asked.complete = false;
    assert_eq!(asked.verdict(), (NONE, NONE));
}

#[test]
fn only_the_hold_that_is_open_can_be_confirmed() {
    let open = held().base;
    assert_eq!(check_confirmation(&open, None), Ok(()));
    assert_eq!(check_confirmation(&open, Some(Uuid::from_u128(99))), Ok(()));
    let wrong = check_confirmation(&open, Some(Uuid::from_u128(98)));
    assert_eq!(wrong, Err(NothingHeld { open: Some(Uuid::from_u128(99)) }));
    assert_eq!(check_confirmation(&base(&[]), Some(Uuid::from_u128(99))), Err(NothingHeld { open: None }));
}

#[test]
fn a_dropped_table_takes_its_triggers_along_and_a_dropped_schema_everything() {
    let mut asked = Asked::of(base(&[("s", 3), ("r", 1)]), [0, 1, 3]);
    asked.base.objects[0].name = "a.b".into();
    asked.base.objects[1].kind = ObjectKind::Trigger;
    asked.base.objects[1].name = "a.b.trg".into();
    asked.schemas.remove(&("db".to_owned(), "r".to_owned()));
    let drops = asked.judge().dropped;
    let said: Vec<(usize, Vec<String>, bool)> =
        drops.into_iter().map(|drop| (drop.known, drop.entailed_by, drop.part_of_table)).collect();
    let wanted = [(3, vec!["r".to_owned()], false), (0, vec![], false), (1, vec!["s.\"a.b\"".to_owned()], true)];
    assert_eq!(said, wanted);
    asked.missing = vec![1];
    assert_eq!(asked.judge().dropped[0].entailed_by, Vec::<String>::new(), "the table stays");
}
