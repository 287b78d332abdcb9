//! How far the read model has folded each partition, asked from outside.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use pursight_schemas::Topic;

use crate::database::Sql;
use crate::kafka::Read;

/// Epoch and next offset of each partition, by topic.
pub type Positions = BTreeMap<(String, i32), (i64, i64)>;

/// The positions at this moment.
///
/// # Errors
/// The database does not answer.
pub fn positions(sql: &Sql) -> Result<Positions> {
    let rows = sql.rows("SELECT topic, partition, epoch, next_offset FROM pursight.projection_position")?;
    let number = |value: &serde_json::Value| value.as_i64().context("a number");
    rows.iter()
        .map(|row| {
            let topic = row["topic"].as_str().context("a topic")?.to_owned();
            let key = (topic, i32::try_from(number(&row["partition"])?)?);
            Ok((key, (number(&row["epoch"])?, number(&row["next_offset"])?)))
        })
        .collect()
}

/// How many of these records the read model has not passed.
pub fn left(positions: &Positions, topic: Topic, records: &[Read]) -> usize {
    let next = |read: &Read| positions.get(&(topic.short().to_owned(), read.partition)).map_or(0, |at| at.1);
    records.iter().filter(|read| read.offset >= next(read)).count()
}
