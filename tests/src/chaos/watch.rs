//! Samples the read model's positions all along, as a reader sees them. Notes only what has changed since the last look.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Result;

use super::time::now_ms;
use crate::database::Sql;
use crate::history::{Folder, Lines, PositionSample};
use crate::positions::{Positions, positions};

const EVERY: Duration = Duration::from_millis(200);

/// Samples until told to stop. The database may be away: then nothing is seen.
///
/// # Errors
/// The history cannot be written.
pub fn watch(url: &str, folder: &Folder, stop: &AtomicBool) -> Result<()> {
    let mut sql = None;
    let mut last = Positions::new();
    while !stop.load(Ordering::Relaxed) {
        let at_ms = now_ms();
        let connection = match sql.take() {
            Some(connection) => Some(connection),
            None => Sql::open(url).ok(),
        };
        if let Some(connection) = connection
            && let Ok(seen) = positions(&connection)
        {
            let changed = seen.iter().filter(|(key, value)| last.get(key) != Some(value));
            let samples: Vec<PositionSample> = changed
                .map(|((topic, partition), (epoch, next_offset))| PositionSample {
                    at_ms,
                    topic: topic.clone(),
                    partition: *partition,
                    epoch: *epoch,
                    next_offset: *next_offset,
                    group: None,
                })
                .collect();
            folder.append(Lines::Positions, &samples)?;
            last = seen;
            sql = Some(connection);
        }
        std::thread::sleep(EVERY);
    }
    Ok(())
}
