//! What a process uses, as `/proc` tells it.

use std::fs;

use anyhow::{Context as _, Result};

/// A moment of one process.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Usage {
    /// Processor time since its start, seconds.
    pub cpu_s: f64,
    /// Resident memory, MiB.
    pub resident: f64,
    /// The most that it ever was.
    pub peak: f64,
    /// Open file handles.
    pub handles: f64,
    /// Threads.
    pub threads: f64,
}

/// What a process uses by now.
///
/// # Errors
/// It is gone.
pub fn usage(pid: u32) -> Result<Usage> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let field = |name: &str| -> Result<f64> {
        let line = status.lines().find(|line| line.starts_with(name)).with_context(|| name.to_owned())?;
        Ok(line.split_whitespace().nth(1).context("a value")?.parse()?)
    };
    Ok(Usage {
        cpu_s: cpu(&fs::read_to_string(format!("/proc/{pid}/stat"))?)?,
        resident: field("VmRSS:")? / 1024.0,
        peak: field("VmHWM:")? / 1024.0,
        handles: fs::read_dir(format!("/proc/{pid}/fd"))?.count() as f64,
        threads: field("Threads:")?,
    })
}

/// Fields 14 and 15, in hundredths of a second; the name before them may hold blanks.
fn cpu(stat: &str) -> Result<f64> {
    let (_, rest) = stat.rsplit_once(')').context("a name")?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let ticks = |at: usize| -> Result<f64> { Ok(fields.get(at).context("a field")?.parse()?) };
    Ok((ticks(11)? + ticks(12)?) / 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_process_may_hold_anything() {
        let stat = "7 (a b) c) S 1 2 3 4 5 6 7 8 9 10 250 50 0 0";
        assert_eq!(cpu(stat).ok(), Some(3.0));
    }

    #[test]
    fn this_process_has_memory_and_threads() {
        let used = usage(std::process::id()).ok();
        assert!(used.is_some_and(|used| used.resident > 0.0 && used.peak >= used.resident && used.threads >= 1.0));
    }
}
