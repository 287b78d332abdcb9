//! One change for many sources: all or nothing.

use std::collections::{BTreeMap, HashSet};

use pursight_schemas::{BulkFilter, BulkUpdateDataSources, DataSourceSpec, Environment, Event, SourceType};
use regex::Regex;

use super::{Answer, Case, Decision, Success, lifecycle};
use crate::state::Source;
use crate::validate::{Violations, code, meta, patch};

/// Most sources of one command.
pub const MOST_SOURCES: usize = 500;
const LONGEST_GLOB: usize = 256;
const MOST_TAGS: usize = 64;

pub(super) fn update(case: &Case<'_>, command: &BulkUpdateDataSources, found: &mut Violations) -> Option<Decision> {
    meta::no_condition(found, case.meta);
    patch::check(found, &command.patch, &command.clear);
    if command.patch.name.is_some() {
        found.invalid("/patch/name", "a name belongs to one source; use UpdateDataSource");
    }
    let sources = chosen(case, command, found)?;
    let mut events: Vec<Event> = Vec::new();
    for source in &sources {
        let mut faults = Violations::new();
        let after = lifecycle::after(case, source, &command.patch, &command.clear, &mut faults);
        found.extend(faults, |path| Some(path.to_owned()));
        if let Some((after, key)) = after
            && let Some(changed) = lifecycle::changed(source, after, key)
        {
            events.extend(changed.events);
        }
    }
    let result = BTreeMap::from([
        ("sources".to_owned(), sources.len().to_string()),
        ("changed".to_owned(), events.len().to_string()),
    ]);
    let answer = Answer::Succeeded(Success { result, ..Success::default() });
    Some(Decision { events, answer, ..Decision::done(Success::default()) })
}

fn chosen<'c>(case: &Case<'c>, command: &BulkUpdateDataSources, found: &mut Violations) -> Option<Vec<&'c Source>> {
    match (&command.filter, command.source_ids.as_slice()) {
        (None, []) => found.invalid("/source_ids", "either source_ids or filter is required"),
        (Some(_), [_, ..]) => found.invalid("/filter", "either source_ids or filter, not both"),
        (None, ids) if ids.len() > MOST_SOURCES => {
            found.invalid("/source_ids", format!("at most {MOST_SOURCES} sources at a time"));
        }
        (None, ids) => {
            let mut seen = HashSet::new();
            let mut sources = Vec::with_capacity(ids.len());
            for (at, id) in ids.iter().enumerate() {
                let path = format!("/source_ids/{at}");
                if seen.insert(*id) {
                    sources.extend(live(case, found, &path, *id));
                } else {
                    found.invalid(path, "named twice");
                }
            }
            return Some(sources);
        }
        (Some(filter), []) => return filtered(case, filter, found),
    }
    None
}

fn live<'c>(case: &Case<'c>, found: &mut Violations, path: &str, id: uuid::Uuid) -> Option<&'c Source> {
    let source = case.known(found, path, id)?;
    if !source.state.is_live() {
        found.add(path, code::SOURCE_DELETED, "the source is deleted");
    }
    Some(source)
}

fn filtered<'c>(case: &Case<'c>, filter: &BulkFilter, found: &mut Violations) -> Option<Vec<&'c Source>> {
    for (at, _) in filter.types.iter().enumerate().filter(|(_, one)| **one == SourceType::Unknown) {
        found.invalid(format!("/filter/types/{at}"), "not a type of source");
    }
    for (at, _) in filter.environments.iter().enumerate().filter(|(_, one)| **one == Environment::Unknown) {
        found.invalid(format!("/filter/environments/{at}"), "not an environment");
    }
    if !is_sound_filter(filter) {
        let most =
            format!("at most {MOST_TAGS} tags, globs and tags of 1 to {LONGEST_GLOB} bytes, no control characters");
        found.invalid("/filter", most);
        return None;
    }
    let sources: Vec<&Source> =
        case.state.sources().into_iter().filter(|source| source.state.is_live() && matches(filter, source)).collect();
    if sources.len() > MOST_SOURCES {
        found.invalid("/filter", format!("more than {MOST_SOURCES} sources match; narrow it, and repeat"));
        return None;
    }
    Some(sources)
}

/// Whether a filter may be asked of the read model at all.
pub fn is_sound_filter(filter: &BulkFilter) -> bool {
    let sound = |text: &str| (1..=LONGEST_GLOB).contains(&text.len()) && !text.chars().any(char::is_control);
    filter.tags.len() <= MOST_TAGS
        && filter.types.len() <= SourceType::ALL.len()
        && filter.environments.len() <= Environment::ALL.len()
        && filter.name_glob.iter().chain(&filter.tags).all(|text| sound(text))
}

/// Whether a source is one of those that a filter names; an empty part does not restrict.
pub fn matches(filter: &BulkFilter, source: &Source) -> bool {
    let spec: &DataSourceSpec = &source.spec;
    let any = |empty: bool, one: bool| empty || one;
    any(filter.types.is_empty(), filter.types.contains(&spec.source_type))
        && any(filter.environments.is_empty(), filter.environments.contains(&spec.environment))
        && any(filter.tags.is_empty(), filter.tags.iter().any(|tag| spec.tags.contains(tag)))
        && filter.name_glob.as_ref().is_none_or(|glob| name_matches(glob, &source.name_key))
}

fn folded(glob: &str) -> String {
    // The same folding that made the names' keys; a glob that folds to nothing matches as it stands.
    pursight_schemas::names::SourceName::parse(glob).map_or_else(|_| glob.to_owned(), |name| name.key)
}

fn name_matches(glob: &str, key: &str) -> bool {
    let mut pattern = String::from("(?s)^");
    for each in folded(glob).chars() {
        match each {
            '*' => pattern.push_str(".*"),
            '?' => pattern.push('.'),
            plain => pattern.push_str(&regex::escape(&plain.to_string())),
        }
    }
    pattern.push('$');
    Regex::new(&pattern).is_ok_and(|pattern| pattern.is_match(key))
}

/// The same glob as a `LIKE` pattern, for looking up what [`matches()`] will choose from.
pub fn like(glob: &str) -> String {
    let mut pattern = String::new();
    for each in folded(glob).chars() {
        match each {
            '*' => pattern.push('%'),
            '?' => pattern.push('_'),
            '%' | '_' | '\\' => pattern.extend(['\\', each]),
            plain => pattern.push(plain),
        }
    }
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_are_matched_on_the_folded_name() {
        for (glob, key, expected) in [
            ("Orders*", "orders-eu", true),
            ("orders-?u", "orders-eu", true),
            ("orders", "orders-eu", false),
            ("*(1)", "shop (1)", true),
            ("a.b", "axb", false),
            ("STRASSE", "strasse", true),
        ] {
            assert_eq!(name_matches(glob, key), expected, "{glob} {key}");
        }
        assert_eq!(like("100%_*a?\\"), "100\\%\\_%a_\\\\");
    }
}
