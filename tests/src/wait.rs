//! Waiting for a condition, never for a time.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// How long a condition may take on a loaded machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Asks again until there is an answer.
///
/// # Errors
/// What `ask` says, or that it did not come true within [`PATIENCE`].
pub fn eventually<T>(what: &str, ask: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    within(PATIENCE, Duration::from_millis(25), what, ask)
}

/// The same with another patience, and another pause between two looks.
///
/// # Errors
/// What `ask` says, or that it did not come true in time.
pub fn within<T>(
    patience: Duration,
    pause: Duration,
    what: &str,
    mut ask: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let until = Instant::now() + patience;
    loop {
        if let Some(found) = ask()? {
            return Ok(found);
        }
        if Instant::now() > until {
            bail!("{what} did not come true within {patience:?}");
        }
        std::thread::sleep(pause);
    }
}
