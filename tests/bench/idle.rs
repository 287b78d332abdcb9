//! What all workers in one process cost when nothing is to be done.

use std::time::{Duration, Instant};

use anyhow::Result;
use pursight_tests::System;

use crate::process::usage;
use crate::report::{Report, Target};

const SUITE: &str = "idle";
/// Joining, the first fetches and the allocator come to rest first.
const SETTLE: Duration = Duration::from_secs(10);
const OVER: Duration = Duration::from_secs(30);

/// Measures so often, a new process each time.
pub fn run(report: &mut Report, runs: usize) -> Result<()> {
    report.about(
        SUITE,
        "`pursight run all` over 30 s, from 10 s after it was ready, without any command; no limit beside it.",
    );
    for run in 0..runs {
        eprintln!("idle: run {} of {runs}", run + 1);
        let system = System::bare()?;
        let mut process = system.spawn("all", "idle")?;
        process.wait_ready()?;
        // Time itself is the subject: what a process takes while nothing happens.
        std::thread::sleep(SETTLE);
        let (before, start) = (usage(process.pid())?, Instant::now());
        std::thread::sleep(OVER);
        let after = usage(process.pid())?;
        let share = (after.cpu_s - before.cpu_s) / start.elapsed().as_secs_f64() * 100.0;
        report.alone(SUITE, "processor", "% of a core", Target::AtMost(3.0), share);
        report.alone(SUITE, "resident memory", "MiB", Target::AtMost(150.0), after.resident);
        report.alone(SUITE, "threads", "", Target::None, after.threads);
    }
    Ok(())
}
