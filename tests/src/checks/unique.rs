//! C7, unique: at no point of the log do two live sources of a tenant have one name. The key of a name is computed here
//! from the name, as the contract says: NFKC, trimmed, case-folded.

use std::collections::BTreeMap;

use caseless::default_case_fold_str;
use pursight_schemas::{Event, Topic};
use unicode_normalization::UnicodeNormalization as _;
use uuid::Uuid;

use super::view::events;
use super::{Judge, Verdict};
use crate::history::History;

pub(super) fn check(history: &History) -> Verdict {
    let mut judge = Judge::new("C7 unique", "at no point do two live sources of a tenant share a name");
    // Names of live sources, and of every source the last name.
    let mut live: BTreeMap<(String, String), Uuid> = BTreeMap::new();
    let mut names: BTreeMap<(String, Uuid), String> = BTreeMap::new();
    for one in events(history, Topic::Source) {
        let meta = one.meta();
        let Some(id) = meta.source_id else { continue };
        let source = (meta.tenant_id.clone(), id);
        let claimed = match &one.event {
            Event::DataSourceCreated(event) => Some((&event.spec.name, &event.name_key)),
            Event::DataSourceUpdated(event) => Some((&event.spec.name, &event.name_key)),
            Event::DataSourceRestored(event) => Some((&event.spec.name, &event.name_key)),
            Event::DataSourceDeleted(_) => None,
            _ => continue,
        };
        let before = names.get(&source).map(|key| (meta.tenant_id.clone(), key.clone()));
        if let Some(before) = before.filter(|before| live.get(before) == Some(&id)) {
            live.remove(&before);
        }
        let Some((name, carried)) = claimed else { continue };
        let key = name_key(name);
        judge.expect(key == *carried, || one.place(), || format!("its name_key is {carried:?}, not {key:?}"));
        names.insert(source, key.clone());
        let other = live.insert((meta.tenant_id.clone(), key), id).filter(|other| *other != id);
        let what = || format!("source {id} has the name {name:?} of source {other:?}, which is live");
        judge.expect(other.is_none(), || one.place(), what);
    }
    judge.verdict()
}

/// What two names have in common that may not exist twice.
fn name_key(name: &str) -> String {
    let normal: String = name.nfkc().collect();
    default_case_fold_str(normal.trim()).nfkc().collect()
}
