//! The whole system under kills and restarts, small: what `./dev chaos` does at full size, judged by the same checks.

use anyhow::{Context as _, Result, bail};
use pursight_tests::chaos::{self, Plan};
use tempfile::TempDir;

#[test]
fn everything_holds_while_processes_are_killed_and_servers_restarted() -> Result<()> {
    let folder = TempDir::with_prefix("pursight-chaos-")?;
    let path = folder.path().join("run");
    let report = chaos::run(&Plan::small(1), &path, false).and_then(|()| chaos::judge(&path));
    match report {
        Ok(report) if report.is_sound() => Ok(()),
        // The history of a failure is worth more than a tidy folder.
        Ok(report) => bail!("{}\nkept in {}", report.text(), folder.keep().display()),
        Err(error) => Err(error).with_context(|| format!("kept in {}", folder.keep().display())),
    }
}
