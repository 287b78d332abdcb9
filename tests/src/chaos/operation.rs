//! What a publisher is to send, complete but for the time in its signature.

use std::time::Duration;

use uuid::Uuid;

use crate::history::Shape;

/// One record that is to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// When, from the start of the load.
    pub at: Duration,
    /// For people: the record's short name, or what else it is.
    pub kind: String,
    /// What kind of record it is.
    pub shape: Shape,
    /// Id of the command, where the value holds one.
    pub command_id: Option<Uuid>,
    /// Tenant that it is sent for.
    pub tenant: String,
    /// Key of the record.
    pub key: String,
    /// How far from the partition of its key it is sent.
    pub partitions_off: i32,
    /// Value.
    pub value: Vec<u8>,
    /// How it is attested; `None`: not at all.
    pub signature: Option<Signature>,
}

/// Whose key signs what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// Which key.
    pub by: Key,
    /// Tenant spoken for.
    pub tenant: String,
    /// Id of the command that is attested.
    pub command_id: Uuid,
    /// Value that is attested.
    pub value: Vec<u8>,
    /// Seconds between its time and the present.
    pub seconds_off: i64,
}

/// A publisher's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// Trusted with everything.
    Trusted,
    /// Trusted for looking only.
    Viewer,
    /// Nobody trusts it.
    Stranger,
}
