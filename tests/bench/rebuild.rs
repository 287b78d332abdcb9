//! `pursight rebuild` over a log of commands and of a discovery: records a second by the wall clock of the whole call, and
//! that every row came out equal.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use pursight_schemas::Topic;
use pursight_tests::positions::positions;
use pursight_tests::{Customer, Read, System};

use crate::commands::Publisher;
use crate::discovery;
use crate::progress::{Observer, Outcomes, passed, until};
use crate::report::{Report, Target};

const SUITE: &str = "rebuild";
const COMMANDS: usize = 16_000;

/// Fills a system once and rebuilds it so often.
pub fn run(report: &mut Report, runs: usize) -> Result<()> {
    let mut system = System::bare()?;
    // Nothing of what lies on the log is lost by a batch that is folded anew.
    system.run_workers()?;
    let customer = Customer::create()?;
    discovery::fill(&customer, "M")?;
    let publisher = Publisher::new(&system)?;
    let observer = Observer::new(&system)?;
    let source = discovery::register(&system, &customer, "customer")?;
    let outcomes = Outcomes::follow(&system)?;
    let discovery = publisher.discover(source)?;
    publisher.publish(std::slice::from_ref(&discovery))?;
    outcomes.of(discovery.id)?;
    for _ in 0..4 {
        publisher.publish(&publisher.mixed(COMMANDS / 4)?)?;
        observer.decided_up_to(observer.end(Topic::Command)?)?;
    }
    let written: Vec<(Topic, Vec<Read>)> =
        Topic::PROJECTED.into_iter().map(|topic| Ok((topic, system.kafka.read(topic)?))).collect::<Result<_>>()?;
    until("the read model has everything", Duration::from_millis(100), || {
        Ok(passed(&positions(&system.sql)?, &written).then_some(()))
    })?;
    let counts: Vec<String> = written
        .iter()
        .filter(|(_, list)| !list.is_empty())
        .map(|(topic, list)| format!("{} {}", topic.short(), list.len()))
        .collect();
    report.about(
        SUITE,
        format!(
            "`pursight rebuild` beside `pursight run all`, wall clock of the whole call (read the log, fold it into a second schema, \
             hash every row of both, swap); no limit beside it. Every run ended with equal row hashes. Records on the log: {}.",
            counts.join(", ")
        ),
    );
    for run in 0..runs {
        eprintln!("rebuild: run {} of {runs}", run + 1);
        let start = Instant::now();
        let answer = system.must(&["rebuild", "--json"])?.json()?;
        let took = start.elapsed().as_secs_f64();
        ensure!(answer["equal"] == true, "the rebuilt read model differs: {answer}");
        let records = answer["records"].as_f64().context("records")?;
        report.alone(
            SUITE,
            "records folded, hashed and swapped",
            "records/s",
            Target::AtLeast(10_000.0),
            records / took,
        );
        report.alone(SUITE, "the whole call", "s", Target::None, took);
    }
    Ok(())
}
