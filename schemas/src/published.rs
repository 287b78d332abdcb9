//! Every schema version ever published, embedded: what a reader of any age needs.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

include!(concat!(env!("OUT_DIR"), "/published.rs"));

/// The index as it lies in the repository and is given to clients.
pub const IDS_JSON: &str = include_str!("../ids.json");

/// One line of `ids.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Schema id of the framing.
    pub id: u32,
    /// Avro full name.
    pub record: String,
    /// Version of the record, from 1.
    pub version: u32,
    /// Topics on which it travels, with the prefix `pursight`.
    pub topics: Vec<String>,
}

/// All entries, by id. Empty if the index is damaged, which a test refuses.
pub static ENTRIES: LazyLock<Vec<Entry>> = LazyLock::new(|| serde_json::from_str(IDS_JSON).unwrap_or_default());

/// The self-contained schema text of an id.
pub fn text(id: u32) -> Option<&'static str> {
    PUBLISHED.iter().find(|(known, _)| *known == id).map(|(_, text)| *text)
}
