//! What a run counts: objects by kind as listed, and what became of them.
//! Owns the names of the counters; must not know what they are counted from.

use std::collections::BTreeMap;

use pursight_schemas::{Change, ChangeKind, ObjectKind};

/// Counters of one run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    kinds: BTreeMap<&'static str, i64>,
    /// Objects of the listing.
    pub listed: i64,
    /// Read, and as they were.
    pub unchanged: i64,
    /// Observed again.
    pub observed: i64,
    /// With news.
    pub changed: i64,
    /// Without a former content.
    pub added: i64,
    /// Under another name.
    pub renamed: i64,
    /// Under the same name, and another object.
    pub recreated: i64,
    /// Without details.
    pub unreadable: i64,
    /// Gone between the listing and the page.
    pub vanished: i64,
    /// Gone.
    pub dropped: i64,
    /// Missing, and not dropped.
    pub held: i64,
}

impl Counts {
    /// One object of the listing.
    pub fn listed(&mut self, kind: ObjectKind) {
        self.listed += 1;
        *self.kinds.entry(kind.symbol()).or_default() += 1;
    }

    /// What is reported of one object that was known.
    pub fn news(&mut self, changes: &[Change]) {
        let has = |kind| i64::from(changes.iter().any(|change| change.kind == kind));
        self.changed += i64::from(!changes.is_empty());
        self.renamed += has(ChangeKind::ObjectRenamed);
        self.recreated += has(ChangeKind::ObjectRecreated);
        self.added += has(ChangeKind::ObjectAdded);
    }

    /// By name: kinds in capitals, as their symbols are; outcomes in small letters. Counters of outcomes that did not
    /// occur are left out, but for `objects`.
    pub fn by_name(&self) -> BTreeMap<String, i64> {
        let outcomes = [
            ("unchanged", self.unchanged),
            ("observed", self.observed),
            ("changed", self.changed),
            ("added", self.added),
            ("renamed", self.renamed),
            ("recreated", self.recreated),
            ("unreadable", self.unreadable),
            ("vanished", self.vanished),
            ("dropped", self.dropped),
            ("held", self.held),
        ];
        let mut named: BTreeMap<String, i64> =
            outcomes.iter().filter(|(_, count)| *count > 0).map(|(name, count)| ((*name).to_owned(), *count)).collect();
        named.extend(self.kinds.iter().map(|(kind, count)| ((*kind).to_owned(), *count)));
        named.insert("objects".into(), self.listed);
        named
    }
}
