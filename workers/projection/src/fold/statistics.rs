//! `statistics`: samples of whole sources and the newest figures of each object.

use pursight_read_model::table::object_statistics::ObjectStatisticsRow;
use pursight_read_model::table::source_statistics::SourceStatistics;
use pursight_schemas::{Event, ObjectStatisticsObserved, StatisticsCollected};
use uuid::Uuid;

use super::run::{self, Turn};
use super::{Gap, Verdict, json, time};
use crate::state::State;

/// Folds an event of the statistics topic.
pub(super) fn fold(state: &mut State, event: &Event) -> Result<Verdict, Gap> {
    let Some(source_id) = event.meta().source_id else { return Ok(Verdict::Noted) };
    let row = match run::turn(state, event, "STATISTICS")? {
        Turn::Not(verdict) => return Ok(verdict),
        Turn::Next(row) => row,
    };
    match event {
        Event::ObjectStatisticsObserved(observed) => {
            let count = i64::try_from(observed.objects.len()).unwrap_or(i64::MAX);
            row.objects_observed = row.objects_observed.saturating_add(count);
            figures(state, observed, source_id);
        }
        Event::StatisticsCollected(collected) => {
            run::end(row, "SUCCEEDED", &collected.meta);
            state.samples.push(sample(collected, source_id));
        }
        // The contract has no event of its own for a cancelled run of this kind: the code tells it.
        Event::StatisticsFailed(failed) if failed.problem.code == "CANCELLED" => {
            run::end(row, "CANCELLED", &failed.meta);
        }
        Event::StatisticsFailed(failed) => run::fail(row, &failed.meta, &failed.problem),
        _ => return Ok(Verdict::Noted),
    }
    Ok(Verdict::Folded)
}

fn figures(state: &mut State, observed: &ObjectStatisticsObserved, source_id: Uuid) {
    let tenant_id = &observed.meta.tenant_id;
    for object in &observed.objects {
        let row = ObjectStatisticsRow {
            tenant_id: tenant_id.clone(),
            source_id,
            object_id: object.object_id,
            run_id: observed.run_id,
            size_bytes: object.size_bytes,
            row_count: object.rows,
            quality: object.quality.clone(),
            measured_at: time(observed.meta.occurred_at),
        };
        state.figures.insert((tenant_id.clone(), source_id, object.object_id), row);
    }
}

fn sample(collected: &StatisticsCollected, source_id: Uuid) -> SourceStatistics {
    let query_time = collected.query_time_us.as_ref();
    let connections = collected.connections.as_ref();
    SourceStatistics {
        tenant_id: collected.meta.tenant_id.clone(),
        source_id,
        run_id: collected.run_id,
        collected_at: time(collected.meta.occurred_at),
        size_bytes: collected.size_bytes,
        object_count: collected.object_count,
        row_estimate: collected.row_estimate,
        cache_hit_ratio_ppm: collected.cache_hit_ratio_ppm,
        query_time_p50_us: query_time.map(|time| time.p50),
        query_time_p95_us: query_time.map(|time| time.p95),
        query_time_samples: query_time.map(|time| time.samples),
        connections_used: connections.map(|connections| connections.used),
        connections_max: connections.map(|connections| connections.max),
        quality: json(&collected.quality),
        counters: json(&collected.counters),
    }
}
