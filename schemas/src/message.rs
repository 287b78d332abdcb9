//! Any command and any event as one type each, decoded by the schema id and never by a header.

use crate::codec::{self, CodecError, Record};
use crate::types::audit::CommandAudited;
use crate::types::command::*;
use crate::types::common::{CommandMeta, EventMeta};
use crate::types::connection::{ConnectionTested, SecretsRevoked};
use crate::types::control::Cancel;
use crate::types::outcome::*;
use crate::types::schema::*;
use crate::types::source::*;
use crate::types::statistics::{ObjectStatisticsObserved, StatisticsCollected, StatisticsFailed};
use crate::types::work::WorkItem;

macro_rules! union {
    ($(#[$doc:meta])* $name:ident, $meta:ident { $($record:ident),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum $name {
            $(#[allow(missing_docs, reason = "named after the record it holds")] $record(Box<$record>)),+
        }

        impl $name {
            /// Full names of all records of this kind.
            pub const FULL_NAMES: &'static [&'static str] = &[$($record::FULL_NAME),+];

            /// Reads a framed value.
            pub fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
                let found = codec::full_name(bytes)?;
                $(if found == $record::FULL_NAME {
                    return codec::decode(bytes).map(|record| Self::$record(Box::new(record)));
                })+
                Err(CodecError::WrongRecord { wanted: stringify!($name), found: found.to_owned() })
            }

            /// Writes it with framing, under the newest schema.
            pub fn encode(&self) -> Result<Vec<u8>, CodecError> {
                match self { $(Self::$record(record) => codec::encode(record.as_ref())),+ }
            }

            /// Avro full name.
            pub fn full_name(&self) -> &'static str {
                match self { $(Self::$record(_) => $record::FULL_NAME),+ }
            }

            /// Who and when.
            pub fn meta(&self) -> &$meta {
                match self { $(Self::$record(record) => &record.meta),+ }
            }

            /// Who and when, to be filled in.
            pub fn meta_mut(&mut self) -> &mut $meta {
                match self { $(Self::$record(record) => &mut record.meta),+ }
            }
        }

        $(impl From<$record> for $name {
            fn from(record: $record) -> Self {
                Self::$record(Box::new(record))
            }
        })+
    };
}

union! {
    /// Any record of the command topic.
    Command, CommandMeta {
        CreateDataSource, UpdateDataSource, DeleteDataSource, RestoreDataSource, PauseDataSource, ResumeDataSource,
        BulkUpdateDataSources, SetFavorite, TestConnection, DiscoverSchema, CollectStatistics, CancelRun, ConfirmDeletions,
    }
}

union! {
    /// Any record of the topics that workers write.
    Event, EventMeta {
        DataSourceCreated, DataSourceUpdated, DataSourceDeleted, DataSourceRestored, DataSourcePaused, DataSourceResumed,
        FavoriteSet, OwnershipTaken,
        CommandAccepted, CommandProgressed, CommandSucceeded, CommandRejected, CommandFailed, CommandCancelled,
        CommandDeadLettered,
        WorkItem, Cancel,
        ConnectionTested, SecretsRevoked,
        DiscoveryStarted, SchemaObjectObserved, SchemaChanged, ObjectUnreadable, ObjectDropped, DeletionHeld,
        SchemaSnapshotCompleted, DiscoveryFailed, DiscoveryCancelled,
        ObjectStatisticsObserved, StatisticsCollected, StatisticsFailed,
        CommandAudited,
    }
}

impl Event {
    /// Whether it is the last outcome of its command.
    pub const fn is_terminal_outcome(&self) -> bool {
        matches!(
            self,
            Self::CommandSucceeded(_)
                | Self::CommandRejected(_)
                | Self::CommandFailed(_)
                | Self::CommandCancelled(_)
                | Self::CommandDeadLettered(_)
        )
    }

    /// The kind of the command whose outcome this is, without namespace; `None` for what is no outcome.
    pub fn command_type(&self) -> Option<&str> {
        match self {
            Self::CommandAccepted(event) => Some(&event.command_type),
            Self::CommandProgressed(event) => Some(&event.command_type),
            Self::CommandSucceeded(event) => Some(&event.command_type),
            Self::CommandRejected(event) => Some(&event.command_type),
            Self::CommandFailed(event) => Some(&event.command_type),
            Self::CommandCancelled(event) => Some(&event.command_type),
            Self::CommandDeadLettered(event) => Some(&event.command_type),
            _ => None,
        }
    }
}
