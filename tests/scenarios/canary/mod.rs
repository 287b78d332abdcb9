//! No secret anywhere (`G11`): secrets go every way that they go in real life, and some that only a mistake takes, through
//! a system on servers of its own, with logs at TRACE. Then everything that the system and its servers wrote is searched,
//! and the same search must find another canary that the test itself plants in each of those places.

mod echo;
mod places;
mod plant;
mod records;
mod world;

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use pursight_tests::canary::{Canary, Scan};

use places::Place;
use world::World;

#[test]
fn secrets_leave_no_trace_and_the_search_finds_one_in_every_place() -> Result<()> {
    let mut world = World::start()?;
    plant::everything(&mut world)?;
    world.stop()?;

    let controls = Place::ALL.map(|place| (place, Canary::random(&format!("control of {place:?}"))));
    for (place, canary) in &controls {
        place.plant(&world, canary)?;
    }
    let control = |name: &str| controls.iter().any(|(_, canary)| canary.name == name);
    let all: Vec<Canary> = world.canaries().into_iter().chain(controls.iter().map(|(_, one)| one.clone())).collect();
    let scan = Scan::of(&all);
    let (mut leaks, mut unseen) = (BTreeSet::new(), Vec::new());
    for (place, canary) in &controls {
        let found = place.search(&world, &scan)?;
        if !found.iter().any(|one| one.canary == canary.name && one.whole) {
            unseen.push(place);
        }
        let leaked = found.iter().filter(|one| !control(&one.canary) && !world.is_excepted(*place, one));
        leaks.extend(leaked.map(|one| format!("{place:?}: {} in {}", one.canary, one.place)));
    }
    ensure!(leaks.is_empty(), "{} leaks:\n{}", leaks.len(), Vec::from_iter(leaks).join("\n"));
    ensure!(unseen.is_empty(), "the search does not see into {unseen:?}");
    Ok(())
}
