//! From a decision to records: ids, headers, outcomes, audit. The same decision gives the same keys and values.
//! Knows how things are written, not why.

use fail::fail_point;
use pursight_engine::dead_letter::{Why, dead_letter};
use pursight_engine::{Failure, Outgoing, Record, Seal, TraceParent};
use pursight_schemas::topics::MAX_RECORD_BYTES;
use pursight_schemas::{
    Actor, ActorType, AuditDecision, CodecError, Command, CommandAccepted, CommandAudited, CommandDeadLettered,
    CommandFailed, CommandRejected, CommandSucceeded, Coordinates, Event, EventMeta, OwnershipTaken, Problem,
    ProblemCategory, Topic, ids,
};
use uuid::Uuid;

use crate::WORKER;
use crate::admit::Refused;
use crate::decide::{Answer, Decision, Rejection, work_topic};

/// Version of the deciding code, for the header of that name.
const DECIDER: &str = env!("CARGO_PKG_VERSION");
/// Longest `tracestate` that is handed on; the standard asks for 512 at least.
const TRACE_STATE: usize = 512;

/// The marker of an ownership, for the source and the outcome topic.
///
/// # Errors
/// A fault of ours: the record cannot be written.
pub fn markers(partition: i32, owner: Uuid, at: i64) -> Result<Vec<Outgoing>, CodecError> {
    fail_point!("planted::no-takeover-marker", |_| Ok(Vec::new()));
    let actor = Actor { principal: WORKER.to_owned(), kind: ActorType::System, ..Actor::default() };
    let occurred_at = pursight_schemas::Micros(at);
    let meta = EventMeta { event_id: owner, occurred_at, actor, ..EventMeta::default() };
    let event: Event = OwnershipTaken { meta, worker: WORKER.to_owned() }.into();
    let trace = TraceParent::of(None, owner);
    let mut out = Vec::new();
    for topic in [Topic::Source, Topic::Outcome] {
        let marker = Outgoing::event(topic, "", &event, WORKER, &trace)?.on_partition(partition);
        out.push(headed(marker, owner));
    }
    Ok(out)
}

fn headed(record: Outgoing, owner: Uuid) -> Outgoing {
    record.with_header("pursight-owner", owner.to_string()).with_header("pursight-decider", DECIDER)
}

/// Writes what one record led to.
pub struct Writer<'w> {
    record: &'w Record,
    topic: String,
    owner: Uuid,
    trace: TraceParent,
    state: Option<String>,
    position: usize,
    outcomes: i64,
    out: Vec<Outgoing>,
}

impl<'w> Writer<'w> {
    /// For one record of the command topic, which is named `topic` on the broker.
    pub fn new(record: &'w Record, topic: &str, owner: Uuid, cause: Uuid) -> Self {
        let trace = TraceParent::of(record.header("traceparent"), cause);
        let state = record.header("tracestate").filter(|text| text.len() <= TRACE_STATE).map(str::to_owned);
        Self { record, topic: topic.to_owned(), owner, trace, state, position: 0, outcomes: 0, out: Vec::new() }
    }

    /// All records, in order.
    pub fn into_records(self) -> Vec<Outgoing> {
        self.out
    }

    /// Whether a record is larger than a producer of ours may write.
    pub fn is_too_large(&self) -> bool {
        self.out.iter().any(|record| record.value.len() > MAX_RECORD_BYTES)
    }

    fn send(&mut self, topic: Topic, key: &str, event: &Event) -> Result<(), CodecError> {
        let mut record = headed(Outgoing::event(topic, key, event, WORKER, &self.trace)?, self.owner);
        if let Some(state) = &self.state {
            record = record.with_header("tracestate", state.clone());
        }
        self.out.push(record);
        Ok(())
    }

    /// An event that a command led to: its id is of the command and its position among all of them.
    fn caused(&mut self, topic: Topic, key: &str, command: &Command, event: Event) -> Result<(), CodecError> {
        let mut event = event;
        let meta = command.meta();
        let EventMeta { source_id, sequence, .. } = *event.meta();
        *event.meta_mut() = EventMeta {
            event_id: ids::command_event_id(meta.command_id, self.position),
            tenant_id: meta.tenant_id.clone(),
            source_id,
            sequence,
            occurred_at: self.record.timestamp,
            command_id: Some(meta.command_id),
            causation_id: Some(meta.command_id),
            correlation_id: meta.correlation_id,
            actor: meta.actor.clone(),
        };
        self.position += 1;
        self.send(topic, key, &event)
    }

    fn outcome(&mut self, command: &Command, source_id: Option<Uuid>, event: Event) -> Result<(), CodecError> {
        let mut event = event;
        let meta = event.meta_mut();
        (meta.source_id, meta.sequence) = (source_id, self.outcomes);
        self.outcomes += 1;
        self.caused(Topic::Outcome, &command.meta().tenant_id, command, event)
    }

    /// A decision: events, work, cancels, outcome, audit.
    ///
    /// # Errors
    /// A fault of ours: a record cannot be written.
    pub fn decision(&mut self, command: &Command, decision: Decision, sha256: &str) -> Result<(), CodecError> {
        let Decision { events, work, cancels, answer } = decision;
        let tenant = command.meta().tenant_id.clone();
        let source_id = work.iter().find_map(|item| item.meta.source_id);
        for event in events {
            self.caused(Topic::Source, &tenant, command, event)?;
        }
        for item in work {
            let key = item.meta.source_id.unwrap_or(item.run_id).to_string();
            self.caused(work_topic(&item), &key, command, item.into())?;
        }
        for cancel in cancels {
            let key = cancel.run_id.or(cancel.source_id).unwrap_or_default().to_string();
            self.caused(Topic::Control, &key, command, cancel.into())?;
        }
        let code = self.answer(command, source_id, answer, sha256)?;
        self.audit(Some(command), AuditDecision::Accepted, code.as_deref(), sha256)
    }

    fn answer(
        &mut self,
        command: &Command,
        source_id: Option<Uuid>,
        answer: Answer,
        sha256: &str,
    ) -> Result<Option<String>, CodecError> {
        let (meta, command_type) = (EventMeta::default(), command.full_name().to_owned());
        let payload_sha256 = sha256.to_owned();
        let accepted = CommandAccepted { meta: meta.clone(), command_type: command_type.clone(), payload_sha256 };
        match answer {
            Answer::Accepted => self.outcome(command, source_id, accepted.into())?,
            Answer::Succeeded(success) => {
                let event = CommandSucceeded {
                    meta,
                    command_type,
                    source_id: success.source_id,
                    version: success.version,
                    result: success.result,
                    preview: success.preview,
                    payload_sha256: Some(sha256.to_owned()),
                };
                self.outcome(command, success.source_id, event.into())?;
            }
            Answer::Failed(problem) => {
                let code = problem.code.clone();
                // The receipt needs the payload's hash, and a failure carries none.
                self.outcome(command, source_id, accepted.into())?;
                self.outcome(command, source_id, CommandFailed { meta, command_type, problem }.into())?;
                return Ok(Some(code));
            }
        }
        Ok(None)
    }

    /// A refusal: outcome and audit.
    ///
    /// # Errors
    /// A fault of ours: a record cannot be written.
    pub fn rejection(&mut self, command: &Command, rejection: Rejection, sha256: &str) -> Result<(), CodecError> {
        let violations = rejection.0.into_list();
        let code = violations.first().map(|violation| violation.code.clone());
        let (meta, command_type) = (EventMeta::default(), command.full_name().to_owned());
        let event = CommandRejected { meta, command_type, violations, payload_sha256: Some(sha256.to_owned()) };
        self.outcome(command, None, event.into())?;
        self.audit(Some(command), AuditDecision::Rejected, code.as_deref(), sha256)
    }

    /// A repeat: audit and nothing else.
    ///
    /// # Errors
    /// A fault of ours: a record cannot be written.
    pub fn repeat(&mut self, command: &Command, sha256: &str) -> Result<(), CodecError> {
        self.audit(Some(command), AuditDecision::Repeated, None, sha256)
    }

    /// A command on which the decider panicked.
    ///
    /// # Errors
    /// A fault of ours: a record cannot be written.
    pub fn given_up(&mut self, command: &Command, code: &str, sha256: &str) -> Result<(), CodecError> {
        let problem = Problem {
            code: "INTERNAL".to_owned(),
            category: ProblemCategory::Internal,
            message: "the command could not be decided; it is kept as a dead letter".to_owned(),
            remedy: Some("look at `pursight dead-letter list`, and report the fault with its coordinates".to_owned()),
            ..Problem::default()
        };
        let (meta, command_type) = (EventMeta::default(), command.full_name().to_owned());
        let payload_sha256 = sha256.to_owned();
        let accepted = CommandAccepted { meta: meta.clone(), command_type: command_type.clone(), payload_sha256 };
        self.outcome(command, None, accepted.into())?;
        let dead_letter = self.coordinates();
        self.outcome(command, None, CommandDeadLettered { meta, command_type, dead_letter, problem }.into())?;
        self.audit(Some(command), AuditDecision::RefusedUnverified, Some(code), sha256)
    }

    /// A record that may not be believed: dead letter and audit.
    ///
    /// # Errors
    /// No key to seal with, or a fault of ours.
    pub fn refusal(&mut self, refused: &Refused, seal: &dyn Seal) -> Result<(), Failure> {
        let why = Why {
            code: refused.code,
            worker: WORKER,
            topic: &self.topic,
            attempts: 1,
            first_failed_at: self.record.timestamp,
        };
        self.out.push(dead_letter(self.record, why, seal)?);
        let event = CommandAudited {
            command_id: refused.command_id,
            command_type: refused.command_type.map(str::to_owned),
            actor: refused.actor.clone(),
            decision: AuditDecision::RefusedUnverified,
            code: Some(refused.code.to_owned()),
            payload_sha256: refused.payload_sha256.clone(),
            ..CommandAudited::default()
        };
        // The record key is all that says whom it concerns; what is no tenant's goes to the system's trail.
        let tenant = self.record.key_text().filter(|key| pursight_schemas::names::is_tenant_id(key));
        let tenant = tenant.unwrap_or_default().to_owned();
        Ok(self.trail(&tenant, None, event)?)
    }

    fn audit(
        &mut self,
        command: Option<&Command>,
        decision: AuditDecision,
        code: Option<&str>,
        sha256: &str,
    ) -> Result<(), CodecError> {
        let meta = command.map(Command::meta);
        let event = CommandAudited {
            command_id: meta.map(|meta| meta.command_id),
            command_type: command.map(|command| command.full_name().to_owned()),
            actor: meta.map(|meta| meta.actor.clone()),
            decision,
            code: code.map(str::to_owned),
            payload_sha256: sha256.to_owned(),
            ..CommandAudited::default()
        };
        let tenant = meta.map(|meta| meta.tenant_id.clone()).unwrap_or_default();
        self.trail(&tenant, command, event)
    }

    /// One line of the trail. Its id is of the record's place in the log: each record has exactly one.
    fn trail(&mut self, tenant: &str, command: Option<&Command>, event: CommandAudited) -> Result<(), CodecError> {
        let record = self.coordinates();
        let place = format!("{}/{}/{}", record.topic, record.partition, record.offset);
        let system = Actor { principal: WORKER.to_owned(), kind: ActorType::System, ..Actor::default() };
        let meta = EventMeta {
            event_id: Uuid::new_v5(&Uuid::NAMESPACE_OID, place.as_bytes()),
            tenant_id: tenant.to_owned(),
            occurred_at: self.record.timestamp,
            command_id: command.map(|command| command.meta().command_id),
            causation_id: command.map(|command| command.meta().command_id),
            correlation_id: command.and_then(|command| command.meta().correlation_id),
            actor: event.actor.clone().unwrap_or(system),
            ..EventMeta::default()
        };
        self.send(Topic::Audit, tenant, &CommandAudited { meta, record, ..event }.into())
    }

    fn coordinates(&self) -> Coordinates {
        Coordinates { topic: self.topic.clone(), partition: self.record.partition, offset: self.record.offset }
    }
}
