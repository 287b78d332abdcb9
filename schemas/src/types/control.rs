//! How runs are ended early: the record of the control topic.
//! Plain data without behaviour; `schemas/avro/control` is the contract that these structs mirror.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::common::EventMeta;
use super::record;

/// Ends runs early.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename = "Cancel", default)]
pub struct Cancel {
    /// Who asked.
    pub meta: EventMeta,
    /// This run, or.
    pub run_id: Option<Uuid>,
    /// All runs of this source asked for earlier.
    pub source_id: Option<Uuid>,
}

record!(Cancel, "io.pursight.control.Cancel");
