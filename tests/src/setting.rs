//! Where the real servers are: `PURSIGHT_TEST_*`, made by `./dev test-env`. A missing one fails the test and says so.

use std::path::PathBuf;

use anyhow::{Context as _, Result};

/// A setting of the tests, without its prefix.
///
/// # Errors
/// It is not set.
pub fn get(name: &str) -> Result<String> {
    let name = format!("PURSIGHT_TEST_{name}");
    std::env::var(&name).with_context(|| format!("{name} is not set; run `eval \"$(./dev test-env)\"` or `./dev test`"))
}

/// The executable under test.
///
/// # Errors
/// It is not there.
pub fn executable() -> Result<PathBuf> {
    let path = PathBuf::from(get("PURSIGHT")?);
    anyhow::ensure!(path.is_file(), "{} is not there; run `cargo build --workspace`", path.display());
    Ok(path)
}
