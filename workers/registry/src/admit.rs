//! From a record to a command that may be believed: readable, attested, of this tenant, on this partition.
//! Everything else is refused here and becomes a dead letter. Decides nothing and looks nothing up.

use pursight_attestation::{AttestationError, HEADER, Presented, TrustedKeys, Verified};
use pursight_engine::Record;
use pursight_schemas::topics::{PARTITIONS, partition_of};
use pursight_schemas::{Actor, Command, codec, hash};
use uuid::Uuid;

use crate::validate::meta;

/// Codes of dead letters that are given here; those of attestations come with their error.
pub mod code {
    /// No command of the contract, or one that may not be repeated in an event.
    pub const UNDECODABLE: &str = "UNDECODABLE";
    /// Not on the partition of its key, or its headers name another command.
    pub const MISROUTED: &str = "MISROUTED";
    /// The id was used for another payload.
    pub const PAYLOAD_MISMATCH: &str = "PAYLOAD_MISMATCH";
}

/// A command that may be believed.
#[derive(Debug, Clone)]
pub struct Admitted {
    /// What is asked for.
    pub command: Command,
    /// By whom, and what they may do.
    pub verified: Verified,
}

/// Why a record is a dead letter, and what could be read of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Code of the dead letter.
    pub code: &'static str,
    /// Hash of the value.
    pub payload_sha256: String,
    /// The id that it claims to have.
    pub command_id: Option<Uuid>,
    /// Its type, by the schema id.
    pub command_type: Option<&'static str>,
    /// Who asked, if that was verified.
    pub actor: Option<Actor>,
}

/// What came of a record.
pub type Admission = Result<Admitted, Box<Refused>>;

/// Records that one thread admits at least: a signature costs far more than all else about a small batch.
const SHARE: usize = 32;

/// Admits a batch. Each record stands for itself and costs nothing but computing, so the processors share a large one.
pub fn admit_all<'r>(records: &'r [Record], keys: &TrustedKeys) -> Vec<(&'r Record, Admission)> {
    let each = |part: &'r [Record]| part.iter().zip(admit_part(part, keys)).collect::<Vec<_>>();
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let share = records.len().div_ceil(processors).max(SHARE);
    if records.len() <= share {
        return each(records);
    }
    std::thread::scope(|scope| {
        let (first, rest) = records.split_at(share);
        let threads: Vec<_> = rest.chunks(share).map(|part| scope.spawn(move || each(part))).collect();
        let mut all = each(first);
        for thread in threads {
            // A panic is the batch's, as if it had happened here: the engine finds out which record it was.
            all.extend(thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        all
    })
}

/// Admits a batch on this processor.
pub fn admit_part(records: &[Record], keys: &TrustedKeys) -> Vec<Admission> {
    let presented: Vec<_> = records.iter().map(presented).collect();
    records.iter().zip(keys.verify_all(&presented)).map(|(record, verified)| believed(record, verified)).collect()
}

/// Admits a record, or says why not.
///
/// # Errors
/// What the dead letter says.
pub fn admit(record: &Record, keys: &TrustedKeys) -> Admission {
    believed(record, keys.verify(&presented(record)))
}

fn presented(record: &Record) -> Presented<'_> {
    let (header, at) = (record.header(HEADER), record.timestamp);
    Presented { header, value: &record.value, record_key: &record.key, at }
}

fn believed(record: &Record, verified: Result<Verified, AttestationError>) -> Admission {
    let refused = |code, command: Option<&Command>| {
        Box::new(Refused {
            code,
            payload_sha256: hash::sha256_hex(&record.value),
            command_id: command.map(|command| command.meta().command_id),
            command_type: codec::full_name(&record.value).ok(),
            actor: None,
        })
    };
    let command = Command::decode(&record.value).map_err(|_| refused(code::UNDECODABLE, None))?;
    if !meta::is_repeatable(command.meta()) {
        return Err(refused(code::UNDECODABLE, Some(&command)));
    }
    let verified = verified.and_then(|verified| verified.check(command.meta()).map(|()| verified));
    let verified = verified.map_err(|error| refused(error.code(), Some(&command)))?;
    if !is_rightly_routed(record, &command) {
        let mut refused = refused(code::MISROUTED, Some(&command));
        refused.actor = Some(command.meta().actor.clone());
        return Err(refused);
    }
    Ok(Admitted { command, verified })
}

fn is_rightly_routed(record: &Record, command: &Command) -> bool {
    let id =
        record.header("ce_id").is_none_or(|id| Uuid::try_parse(id).is_ok_and(|id| id == command.meta().command_id));
    let of_type = record.header("ce_type").is_none_or(|name| name == command.full_name());
    partition_of(&record.key, PARTITIONS) == record.partition && id && of_type
}
