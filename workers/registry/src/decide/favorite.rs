//! Stars. A star is a principal's, not the source's: it makes no new version.

use pursight_schemas::{EventMeta, FavoriteSet, SetFavorite};

use super::{Case, Decision, Success};
use crate::validate::Violations;

pub(super) fn set(case: &Case<'_>, command: &SetFavorite, found: &mut Violations) -> Option<Decision> {
    let source = case.live(found, "/source_id", command.source_id)?;
    let event = FavoriteSet {
        meta: EventMeta::default(),
        source_id: source.id,
        principal: case.meta.actor.principal.clone(),
        favorite: command.favorite,
    };
    let success = Success { source_id: Some(source.id), version: Some(source.version), ..Success::default() };
    Some(Decision { events: vec![event.into()], ..Decision::done(success) })
}
