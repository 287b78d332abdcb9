//! Commands to committed events, and events to rows: the registry and the projection as processes of their own, held to a
//! batch size, each over a backlog, and beside each the bare loop over the same records.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use pursight_schemas::Topic;
use pursight_tests::positions::{left, positions};
use pursight_tests::{Process, Read, System};

use crate::commands::{Publisher, Signed};
use crate::limit::Bare;
use crate::progress::{Observer, passed, until};
use crate::report::{Report, Target};
use crate::upsert::Upserts;

const SUITE: &str = "pipeline";
/// What a command leads to.
const WRITTEN: [Topic; 3] = [Topic::Source, Topic::Outcome, Topic::Audit];
/// Tables that these fill, by topic; a source is written once for its creation and once for its change.
const TABLES: [(Topic, &[(&str, usize)]); 3] = [
    (Topic::Source, &[("data_source", 2), ("data_source_change", 1)]),
    (Topic::Outcome, &[("command", 1)]),
    (Topic::Audit, &[("audit", 1)]),
];
/// Batch size, and so many commands.
const SIZES: [(usize, usize); 4] = [(1, 300), (10, 2_000), (100, 6_000), (500, 8_000)];

/// Measures all batch sizes, so often.
pub fn run(report: &mut Report, runs: usize) -> Result<()> {
    report.about(
        SUITE,
        "**commands**: `pursight run registry` over a backlog of signed commands of one tenant (half CreateDataSource, half \
         UpdateDataSource), from going on to the last committed offset, the projection stopped meanwhile; beside it a bare \
         consume-transform-produce loop that reads the same commands and writes the same records (values, headers, number) \
         in transactions of the same batch size. **events**: `pursight run projection` catching up on what that wrote, by its \
         stored positions; beside it bare UNNEST upserts of the rows that came of it, into tables of the same columns and \
         indexes, one connection, position by compare-and-set, `synchronous_commit` off as the product's. **whole**: the same \
         commands again with the projection at work, until the last is committed.",
    );
    for run in 0..runs {
        for (size, count) in SIZES {
            eprintln!("pipeline: run {} of {runs}, batch size {size}", run + 1);
            once(report, size, count).with_context(|| format!("batch size {size}"))?;
        }
    }
    Ok(())
}

fn once(report: &mut Report, size: usize, count: usize) -> Result<()> {
    let mut system = System::bare()?;
    system.settings.insert("PURSIGHT_BATCH_SIZE".to_owned(), size.to_string());
    let publisher = Publisher::new(&system)?;
    let observer = Observer::new(&system)?;
    let mut projection = system.spawn("projection", "first")?;
    let registry = system.spawn("registry", "only")?;
    publisher.publish(&publisher.mixed(40)?)?;
    observer.decided_up_to(40)?;
    folded(&system, &written(&system, &[0; 3])?)?;

    let commands = publisher.mixed(count)?;
    let before = ends(&observer)?;
    let rate = backlog(&publisher, &observer, &registry, Some(&projection), &commands)?;
    let records = written(&system, &before)?;
    let outputs: Vec<Vec<Read>> = records.iter().map(|(_, list)| list.clone()).collect();
    let bare = Bare::new(&system.kafka.bootstrap, 1 + WRITTEN.len())?;
    let limit = bare.transform(&commands, &outputs, size)?;
    let big = if size >= 100 { Target::AtLeast(0.3) } else { Target::None };
    report.beside(SUITE, format!("commands, batch {size}"), "commands/s", big, (rate, limit));

    projection.signal("TERM")?;
    projection.signal("CONT")?;
    projection.wait_end()?;
    let rate = catching_up(&system, &records)?;
    let limit = upserts(&system, &records, size)?;
    let big = if size >= 100 { Target::AtLeast(0.4) } else { Target::None };
    report.beside(SUITE, format!("events, batch {size}"), "events/s", big, (rate, limit));

    let _projection = system.spawn("projection", "third")?;
    let again = publisher.mixed(count)?;
    let before = ends(&observer)?;
    let rate = backlog(&publisher, &observer, &registry, None, &again)?;
    folded(&system, &written(&system, &before)?)?;
    report.alone(SUITE, format!("whole, batch {size}"), "commands/s", Target::None, rate);
    Ok(())
}

/// Commands a second: all of them lie there when the registry goes on.
fn backlog(
    publisher: &Publisher,
    observer: &Observer,
    registry: &Process,
    projection: Option<&Process>,
    commands: &[Signed],
) -> Result<f64> {
    let end = observer.decided()? + i64::try_from(commands.len())?;
    registry.signal("STOP")?;
    if let Some(projection) = projection {
        projection.signal("STOP")?;
    }
    publisher.publish(commands)?;
    let start = Instant::now();
    registry.signal("CONT")?;
    observer.decided_up_to(end)?;
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    Ok(commands.len() as f64 / start.elapsed().as_secs_f64())
}

/// Ends of what the registry writes.
fn ends(observer: &Observer) -> Result<[i64; 3]> {
    Ok([observer.end(WRITTEN[0])?, observer.end(WRITTEN[1])?, observer.end(WRITTEN[2])?])
}

/// What lies from these offsets on, in order; markers of ownership are on other partitions too and are left out.
fn written(system: &System, from: &[i64; 3]) -> Result<Vec<(Topic, Vec<Read>)>> {
    let all = WRITTEN.iter().zip(from).map(|(topic, from)| {
        let mut records = system.kafka.read(*topic)?;
        records.retain(|read| read.key == system.tenant && read.offset >= *from);
        Ok((*topic, records))
    });
    all.collect()
}

fn folded(system: &System, records: &[(Topic, Vec<Read>)]) -> Result<()> {
    until("the read model has everything", Duration::from_millis(50), || {
        Ok(passed(&positions(&system.sql)?, records).then_some(()))
    })
}

/// Events a second of a projection that starts now, from the first look at which its position has moved.
fn catching_up(system: &System, records: &[(Topic, Vec<Read>)]) -> Result<f64> {
    let left = |positions: &_| records.iter().map(|(topic, list)| left(positions, *topic, list)).sum::<usize>();
    let all = left(&positions(&system.sql)?);
    ensure!(all > 0, "everything was folded already");
    let _projection = system.spawn("projection", "second")?;
    let pause = Duration::from_millis(10);
    let (start, first) = until("the projection begins", pause, || {
        let now = left(&positions(&system.sql)?);
        Ok((now < all).then(|| (Instant::now(), now)))
    })?;
    until("the projection has caught up", pause, || Ok((left(&positions(&system.sql)?) == 0).then_some(())))?;
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    Ok(first as f64 / start.elapsed().as_secs_f64())
}

fn upserts(system: &System, records: &[(Topic, Vec<Read>)], size: usize) -> Result<f64> {
    let bare = Upserts::open(&system.settings["PURSIGHT_DATABASE_URL"])?;
    let (mut events, mut seconds) = (0, 0.0);
    for (topic, names) in TABLES {
        let count = records.iter().find(|(one, _)| *one == topic).map_or(0, |(_, list)| list.len());
        let tables = names.iter().map(|(name, times)| bare.table(name, *times)).collect::<Result<Vec<_>>>()?;
        seconds += bare.write(topic.short(), &tables, count, size)?;
        events += count;
    }
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    Ok(events as f64 / seconds)
}
