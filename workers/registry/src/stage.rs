//! Decisions of one batch that are not visible yet. Later commands of the batch see earlier ones' effects through it.
//! Knows neither the log nor the database.

use std::collections::HashMap;

use pursight_engine::{Failure, Line, Outgoing, Record, Seal};
use pursight_schemas::{Command, Topic, WorkItem, WorkKind, json};
use uuid::Uuid;

use crate::admit::{self, Admitted, Refused};
use crate::decide::{self, Answer, Decision, Rejection, Rules};
use crate::owned::Overlay;
use crate::state::{Effect, Layer, Run, State};
use crate::validate::Violations;
use crate::write::Writer;

/// A transaction ends when it holds this many records or bytes.
const MOST_RECORDS: usize = 2_000;
const MOST_BYTES: usize = 8 * 1024 * 1024;

/// An effect, and which of the outgoing records makes it true.
#[derive(Debug)]
pub struct Staged {
    /// Index among the outgoing records.
    pub event: usize,
    /// Whose.
    pub tenant: String,
    /// What.
    pub effect: Effect,
}

/// What is decided but not committed.
pub struct Stage<'s> {
    rules: &'s Rules,
    topic: &'s str,
    owner: Uuid,
    seal: &'s dyn Seal,
    layers: HashMap<String, Layer>,
    out: Vec<Outgoing>,
    effects: Vec<Staged>,
    bytes: usize,
}

impl<'s> Stage<'s> {
    /// Nothing yet. `topic` is the command topic's name on the broker.
    pub fn new(rules: &'s Rules, topic: &'s str, owner: Uuid, seal: &'s dyn Seal) -> Self {
        let (layers, out, effects) = (HashMap::new(), Vec::new(), Vec::new());
        Self { rules, topic, owner, seal, layers, out, effects, bytes: 0 }
    }

    /// Whether it is time to commit.
    pub fn is_full(&self) -> bool {
        self.out.len() >= MOST_RECORDS || self.bytes >= MOST_BYTES
    }

    /// Everything staged, to be committed; the stage is empty again.
    pub fn take(&mut self) -> (Vec<Outgoing>, Vec<Staged>) {
        self.layers.clear();
        self.bytes = 0;
        (std::mem::take(&mut self.out), std::mem::take(&mut self.effects))
    }

    /// Decides one record on top of everything before it. While a command that is no repeat is being decided,
    /// `deciding` holds its offset: if that panics, it is known that the command has no outcome yet.
    ///
    /// # Errors
    /// No key to seal a dead letter with, or a record of ours that cannot be written.
    pub fn record(
        &mut self,
        record: &Record,
        admitted: &Result<Admitted, Box<Refused>>,
        overlay: &Overlay,
        base: &HashMap<String, Layer>,
        deciding: &mut Option<i64>,
    ) -> Result<Line, Failure> {
        let Admitted { command, verified } = match admitted {
            Ok(admitted) => admitted,
            Err(refused) => return self.refuse(record, refused),
        };
        let meta = command.meta();
        let tenant = meta.tenant_id.as_str();
        let sha256 = verified.payload_sha256.as_str();
        let state = State::new(tenant, [self.layers.get(tenant), overlay.layer(tenant), base.get(tenant)]);
        match state.decided(meta.command_id) {
            Some(known) if known == sha256 => {
                let mut writer = Writer::new(record, self.topic, self.owner, meta.command_id);
                writer.repeat(command, sha256)?;
                self.keep(writer);
                return Ok(line(command, "REPEATED", None));
            }
            Some(_) => {
                let refused = Refused {
                    code: admit::code::PAYLOAD_MISMATCH,
                    payload_sha256: sha256.to_owned(),
                    command_id: Some(meta.command_id),
                    command_type: Some(command.full_name()),
                    actor: Some(meta.actor.clone()),
                };
                let refusal = self.refuse(record, &refused)?;
                return Ok(line(command, refusal.outcome, refusal.code));
            }
            None => {}
        }
        *deciding = Some(record.offset);
        let permission = decide::permission(command);
        let verdict = if verified.allows(permission) {
            decide::decide(&state, command, record.timestamp, self.rules)
        } else {
            Err(decide::denied(permission))
        };
        let effects = verdict.as_ref().map(|decision| effects(&state, decision)).unwrap_or_default();
        let line = self.verdict(record, command, sha256, verdict, effects);
        *deciding = None;
        line
    }

    fn verdict(
        &mut self,
        record: &Record,
        command: &Command,
        sha256: &str,
        verdict: Result<Decision, Rejection>,
        effects: (Vec<Effect>, Vec<Effect>),
    ) -> Result<Line, Failure> {
        let meta = command.meta();
        let mut writer = Writer::new(record, self.topic, self.owner, meta.command_id);
        let (line, effects) = match verdict {
            Ok(decision) => {
                let line = described(command, &decision);
                writer.decision(command, decision, sha256)?;
                (line, effects)
            }
            Err(rejection) => {
                writer = Writer::new(record, self.topic, self.owner, meta.command_id);
                let line = rejected(command, &rejection);
                writer.rejection(command, rejection, sha256)?;
                (line, <(Vec<Effect>, Vec<Effect>)>::default())
            }
        };
        if writer.is_too_large() {
            let mut found = Violations::new();
            found.invalid("", "what this leads to would be larger than a record may be (900 KiB)");
            let rejection = Rejection(found);
            let line = rejected(command, &rejection);
            writer = Writer::new(record, self.topic, self.owner, meta.command_id);
            writer.rejection(command, rejection, sha256)?;
            self.settle(command, sha256, <(Vec<Effect>, Vec<Effect>)>::default(), writer);
            return Ok(line);
        }
        self.settle(command, sha256, effects, writer);
        Ok(line)
    }

    /// Remembers what was written: effects on sources lie at their events, those on the command at its last outcome.
    fn settle(&mut self, command: &Command, sha256: &str, effects: (Vec<Effect>, Vec<Effect>), writer: Writer<'_>) {
        let meta = command.meta();
        let first = self.out.len();
        self.keep(writer);
        let outcome = self.out.iter().rposition(|record| record.topic == Topic::Outcome).unwrap_or(first);
        let (sources, runs) = effects;
        for (at, effect) in sources.into_iter().enumerate() {
            self.lay(first + at, &meta.tenant_id, effect);
        }
        let payload_sha256 = sha256.to_owned();
        let decided = Effect::Decided { command_id: meta.command_id, payload_sha256 };
        for effect in runs.into_iter().chain([decided]) {
            self.lay(outcome, &meta.tenant_id, effect);
        }
    }

    fn lay(&mut self, event: usize, tenant: &str, effect: Effect) {
        self.layers.entry(tenant.to_owned()).or_default().apply(&effect, i64::MAX);
        self.effects.push(Staged { event, tenant: tenant.to_owned(), effect });
    }

    fn keep(&mut self, writer: Writer<'_>) {
        let records = writer.into_records();
        self.bytes += records.iter().map(|record| record.value.len()).sum::<usize>();
        self.out.extend(records);
    }

    fn refuse(&mut self, record: &Record, refused: &Refused) -> Result<Line, Failure> {
        let cause = refused.command_id.unwrap_or_default();
        let mut writer = Writer::new(record, self.topic, self.owner, cause);
        writer.refusal(refused, self.seal)?;
        self.keep(writer);
        let outcome = pursight_engine::line::DEAD_LETTER;
        let message_type = refused.command_type.map(json::short).unwrap_or_default().to_owned();
        let (command_id, code) = (refused.command_id, Some(refused.code.to_owned()));
        Ok(Line { outcome, code, command_id, message_type, ..Line::default() })
    }
}

/// What a decision changes: one effect an event of the source topic, in order, and the runs it gives out.
fn effects(state: &State<'_>, decision: &Decision) -> (Vec<Effect>, Vec<Effect>) {
    let of = |event| {
        let id = pursight_schemas::Event::meta(event).source_id;
        Effect::of_event(id.and_then(|id| state.source(id)), event)
    };
    // Events without an effect are favourites; they stand alone in their decision, so places still agree.
    let sources = decision.events.iter().filter_map(of).collect();
    let runs = decision.work.iter().filter_map(run).collect();
    (sources, runs)
}

fn run(work: &WorkItem) -> Option<Effect> {
    let kind = match work.kind {
        WorkKind::ConfirmDeletions => WorkKind::Discover,
        WorkKind::RevokeSecrets => return None,
        kind => kind,
    };
    Some(Effect::Run { run_id: work.run_id, run: Run { kind, ended: false } })
}

fn line(command: &Command, outcome: &'static str, code: Option<String>) -> Line {
    let meta = command.meta();
    Line {
        tenant_id: meta.tenant_id.clone(),
        source_id: None,
        command_id: Some(meta.command_id),
        message_type: json::short(command.full_name()).to_owned(),
        correlation_id: meta.correlation_id,
        outcome,
        code,
    }
}

fn described(command: &Command, decision: &Decision) -> Line {
    let (outcome, source, code) = match &decision.answer {
        Answer::Accepted => ("ACCEPTED", None, None),
        Answer::Succeeded(success) => ("SUCCEEDED", success.source_id, None),
        Answer::Failed(problem) => ("FAILED", None, Some(problem.code.clone())),
    };
    let source_id = source.or_else(|| decision.work.iter().find_map(|item| item.meta.source_id));
    Line { source_id, ..line(command, outcome, code) }
}

fn rejected(command: &Command, rejection: &Rejection) -> Line {
    let code = rejection.0.clone().into_list().into_iter().next().map(|violation| violation.code);
    line(command, "REJECTED", code)
}
