//! What one chaos run leaves behind: a folder of files, and their types. Whoever makes a run writes it through
//! [`Folder`]; the checks load it whole and see nothing else, so that an old run can be judged again.

mod folder;
mod types;

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use pursight_schemas::Topic;

pub use folder::{Folder, Lines};
pub use types::{
    Act, Ends, GroupEnd, OPERATION_HEADER, Operation, PartitionEnd, Plan, PositionSample, Recorded, RowHash, Sent,
    Shape, from_base64, to_base64,
};

/// One run, whole.
#[derive(Debug, Clone, Default)]
pub struct History {
    /// What was intended.
    pub plan: Plan,
    /// What publishers did, in the order in which they began.
    pub operations: Vec<Operation>,
    /// What was done to the system, in order.
    pub acts: Vec<Act>,
    /// What a read_committed reader sees, by topic, in order of partition and offset.
    pub records: BTreeMap<Topic, Vec<Recorded>>,
    /// What a read_uncommitted reader sees: aborted records too.
    pub uncommitted: BTreeMap<Topic, Vec<Recorded>>,
    /// Samples of positions, in order of time.
    pub positions: Vec<PositionSample>,
    /// Where everything stood at the end.
    pub ends: Ends,
    /// Rows of the read model.
    pub live: Vec<RowHash>,
    /// The same rows after a rebuild.
    pub rebuilt: Vec<RowHash>,
}

impl History {
    /// Reads a folder.
    ///
    /// # Errors
    /// A file is missing or cannot be understood; it says which file and line.
    pub fn load(folder: &Path) -> Result<Self> {
        let folder = Folder::at(folder);
        let mut history = Self {
            plan: folder.read_plan()?,
            operations: folder.read_lines(Lines::Operations)?,
            acts: folder.read_lines(Lines::Acts)?,
            positions: folder.read_lines(Lines::Positions)?,
            ends: folder.read_ends()?,
            live: folder.read_lines(Lines::Live)?,
            rebuilt: folder.read_lines(Lines::Rebuilt)?,
            ..Self::default()
        };
        for topic in Topic::ALL {
            history.records.insert(topic, folder.read_lines(Lines::Records(topic))?);
            history.uncommitted.insert(topic, folder.read_lines(Lines::Uncommitted(topic))?);
        }
        history.sort();
        Ok(history)
    }

    /// Puts everything into its order, however it was written.
    pub fn sort(&mut self) {
        self.operations.sort_by_key(|operation| (operation.invoked_at_ms, operation.n));
        self.acts.sort_by_key(|act| act.at_ms);
        self.positions.sort_by_key(|sample| sample.at_ms);
        for records in self.records.values_mut().chain(self.uncommitted.values_mut()) {
            records.sort_by_key(|record| (record.partition, record.offset));
        }
    }

    /// What a read_committed reader sees of a topic.
    pub fn committed(&self, topic: Topic) -> &[Recorded] {
        self.records.get(&topic).map_or(&[], Vec::as_slice)
    }
}
