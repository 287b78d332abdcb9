//! Points in time as the contract carries them. Knows no clock: times come in as data.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

/// Microseconds since 1970-01-01T00:00:00Z (Avro `timestamp-micros`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Micros(pub i64);

impl Micros {
    /// From milliseconds since 1970, the unit of Kafka's record timestamps.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(1_000))
    }

    /// This time moved by some microseconds; saturates.
    #[must_use]
    pub const fn plus_micros(self, micros: i64) -> Self {
        Self(self.0.saturating_add(micros))
    }

    /// This time moved by some seconds; saturates.
    #[must_use]
    pub const fn plus_seconds(self, seconds: i64) -> Self {
        self.plus_micros(seconds.saturating_mul(1_000_000))
    }

    /// As a calendar time; `None` beyond the years that the calendar knows.
    pub const fn to_utc(self) -> Option<DateTime<Utc>> {
        DateTime::from_timestamp_micros(self.0)
    }

    /// RFC 3339 in UTC with microseconds, or the bare number where the calendar ends.
    pub fn rfc3339(self) -> String {
        self.to_utc().map_or_else(|| self.0.to_string(), |time| time.to_rfc3339_opts(SecondsFormat::Micros, true))
    }

    /// Reads RFC 3339 text with any offset.
    pub fn parse(text: &str) -> Option<Self> {
        DateTime::parse_from_rfc3339(text).ok().map(|time| Self(time.timestamp_micros()))
    }
}

impl From<DateTime<Utc>> for Micros {
    fn from(time: DateTime<Utc>) -> Self {
        Self(time.timestamp_micros())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_number_agree() {
        let time = Micros(1_700_000_000_123_456);
        assert_eq!(time.rfc3339(), "2023-11-14T22:13:20.123456Z");
        assert_eq!(Micros::parse("2023-11-15T00:13:20.123456+02:00"), Some(time));
        assert_eq!(Micros::parse("yesterday"), None);
        assert_eq!(Micros(i64::MAX).rfc3339(), i64::MAX.to_string());
    }
}
