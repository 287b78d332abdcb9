//! The whole system under a steady load for a long time: what must stay flat is shown at the start, in the middle and at
//! the end, and every log line that warns is counted by what it says.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::Result;
use pursight_tests::{Customer, System};
use serde_json::Value as Json;

use crate::commands::Publisher;
use crate::discovery::{fill, register};
use crate::process::{Usage, usage};
use crate::progress::Observer;
use crate::report::{Report, Target, median};

const SUITE: &str = "soak";
const TICK: Duration = Duration::from_millis(50);
const SAMPLE: Duration = Duration::from_secs(5);
/// A small customer's database is discovered again this often.
const DISCOVER: Duration = Duration::from_secs(15);
/// One command of so many registers a source, the others change it.
const CREATE: usize = 20;

/// One figure of a sample.
type Figure = fn(&Sample) -> f64;

/// One look at the process.
struct Sample {
    usage: Usage,
    lag: f64,
}

/// Runs for that long.
pub fn run(report: &mut Report, minutes: Duration, rate: f64) -> Result<()> {
    let system = System::bare()?;
    let mut process = system.spawn("all", "soak")?;
    process.wait_ready()?;
    let customer = Customer::create()?;
    fill(&customer, "XS")?;
    let source = register(&system, &customer, "customer")?;
    let publisher = Publisher::new(&system)?;
    let observer = Observer::new(&system)?;

    let start = Instant::now();
    let (mut sent, mut created) = (0_usize, publisher.create()?);
    let (mut samples, mut sampled, mut discovered) = (Vec::new(), start, start);
    publisher.publish(std::slice::from_ref(&created))?;
    while start.elapsed() < minutes {
        let due = start.elapsed().as_secs_f64() * rate;
        let mut batch = Vec::new();
        while (sent as f64) < due {
            batch.push(if sent.is_multiple_of(CREATE) {
                created = publisher.create()?;
                created.clone()
            } else {
                publisher.update(created.source, &format!("change {sent}"))?
            });
            sent += 1;
        }
        if discovered.elapsed() >= DISCOVER {
            discovered = Instant::now();
            batch.push(publisher.discover(source)?);
        }
        publisher.publish(&batch)?;
        if sampled.elapsed() >= SAMPLE {
            sampled = Instant::now();
            samples.push(Sample { usage: usage(process.pid())?, lag: observer.lag(&system)? });
        }
        std::thread::sleep(TICK);
    }
    let took = start.elapsed().as_secs_f64();
    observer.decided_up_to(observer.end(pursight_schemas::Topic::Command)?)?;
    told(report, &samples, took, sent);
    for (line, count) in warnings(&process.log()?) {
        report.alone(SUITE, format!("log line: {line}"), "times", Target::None, count);
    }
    Ok(())
}

fn told(report: &mut Report, samples: &[Sample], took: f64, sent: usize) {
    let minutes = took / 60.0;
    report.about(
        SUITE,
        format!(
            "`pursight run all` for {minutes:.1} minutes under {:.0} commands a second ({sent} in all; one of {CREATE} registers a source, \
             the others change it) and a discovery of a small database every {} s. A figure is the median over a tenth of the run. \
             Lag: commands not decided and records not folded at one look. No limit beside it.",
            sent as f64 / took,
            DISCOVER.as_secs()
        ),
    );
    let figures: [(&str, &'static str, Figure); 4] = [
        ("resident memory", "MiB", |sample| sample.usage.resident),
        ("file handles", "", |sample| sample.usage.handles),
        ("threads", "", |sample| sample.usage.threads),
        ("lag", "records", |sample| sample.lag),
    ];
    let tenth = (samples.len() / 10).max(1);
    let middle = samples.len() / 2 - tenth.min(samples.len() / 2) / 2;
    let parts =
        [("start", tenth.min(samples.len() - 1)), ("middle", middle), ("end", samples.len().saturating_sub(tenth))];
    for (name, unit, of) in figures {
        for (when, from) in parts {
            let values: Vec<f64> = samples.iter().skip(from).take(tenth).map(of).collect();
            report.alone(SUITE, format!("{name}, {when}"), unit, Target::None, median(&values));
        }
    }
    let span = |of: Figure| samples.last().map_or(0.0, of) - samples.first().map_or(0.0, of);
    let (cpu, wall) = (span(|sample| sample.usage.cpu_s), took - SAMPLE.as_secs_f64());
    report.alone(SUITE, "processor", "% of a core", Target::None, cpu / wall * 100.0);
}

/// Log lines of WARN and above, counted by what they say.
fn warnings(log: &str) -> BTreeMap<String, f64> {
    let mut counts = BTreeMap::new();
    for line in log.lines() {
        let Ok(line) = serde_json::from_str::<Json>(line) else { continue };
        let level = line["level"].as_str().unwrap_or_default();
        if level == "WARN" || level == "ERROR" {
            let said = ["message", "error", "reason"].map(|name| line[name].as_str().unwrap_or_default());
            let text = format!("{level} {} {}", line["worker"].as_str().unwrap_or_default(), said.join(" "));
            *counts.entry(text.trim().to_owned()).or_insert(0.0) += 1.0;
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_are_counted_by_what_they_say() {
        let log = "{\"level\":\"WARN\",\"message\":\"m\",\"worker\":\"w\"}\n{\"level\":\"INFO\",\"message\":\"m\"}\nno json\n{\"level\":\"WARN\",\"message\":\"m\",\"worker\":\"w\"}";
        assert_eq!(warnings(log).into_iter().collect::<Vec<_>>(), [("WARN w m".to_owned(), 2.0)]);
    }
}
