//! What to ask, and what the answers mean: `plan` before anything is listed, [`Survey`] page by page, [`conclude`] at
//! the end. Pure: contents and catalogs come in, events go out. Must not know sessions, the read model or the log.

mod conclude;
mod counts;
mod preview;
mod survey;

pub use conclude::{Conclusion, Whole, conclude, unchanged, verdict};
pub use preview::preview;
pub use survey::{Fresh, Survey};

use pursight_schemas::{ScopeFilter, WorkItem};

use crate::base::Base;
use crate::identity::Trust;

/// Under which eyes a run looks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sight {
    /// Of filter and databases.
    pub scope_hash: String,
    /// Of what the role may see, over all databases.
    pub visibility_hash: String,
    /// Of the catalog rows, over all databases.
    pub fingerprint: String,
}

/// What a run has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plan {
    /// Nothing was defined since the last complete run: say so.
    Nothing,
    /// List, and read what is listed.
    Read {
        /// What tells a renamed object from a recreated one.
        trust: Trust,
    },
}

/// What a run has to do. It may end early only when the last complete run left nothing open.
pub fn plan(work: &WorkItem, base: &Base, sight: &Sight) -> Plan {
    let Some(last) = &base.last_complete else { return Plan::Read { trust: Trust::Numbers } };
    let same_sight = last.scope_hash == sight.scope_hash && last.visibility_hash == sight.visibility_hash;
    let same_rows = last.fingerprint.as_deref() == Some(sight.fingerprint.as_str());
    let asked = !work.full && !work.dry_run && work.confirms.is_none();
    let open = !base.held.is_empty() || base.objects.iter().any(|object| object.unreadable);
    if same_sight && same_rows && asked && !open {
        return Plan::Nothing;
    }
    let same_server = last.visibility_hash == sight.visibility_hash;
    Plan::Read { trust: if same_server { Trust::Numbers } else { Trust::Names } }
}

/// The filter of a run: its own, or its source's.
pub fn scope_of(work: &WorkItem) -> &ScopeFilter {
    work.scope.as_ref().unwrap_or(&work.spec.scope)
}

#[cfg(test)]
mod tests;
