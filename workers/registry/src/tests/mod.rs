//! Tests of the whole worker, and what they share: commands written as JSON, and a read model in memory whose fold is
//! written apart from the worker's own.

#![expect(clippy::disallowed_methods, reason = "tests name things at random")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod model;
mod prepared;
mod rig;
mod rules;
mod sequences;
mod table;
mod trust;
mod worker;

use pursight_schemas::{Command, Micros, SourceType, Violation, json};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::decide::{self, Decision, Rules};
use crate::lookup::question;
use crate::owned::Overlay;
use crate::state::{State, layers};
use model::Model;

pub const TENANT: &str = "acme";
/// 2026-03-01T09:00:00Z.
pub const NOW: Micros = Micros(1_772_355_600_000_000);

pub fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

pub fn rules() -> Rules {
    Rules { live_sources: 10, connectors: vec![SourceType::Postgresql] }
}

/// The smallest sound configuration.
pub fn spec(name: &str) -> Value {
    json!({"name": name, "source_type": "POSTGRESQL", "location": "ON_PREM", "hosts": [{"host": "db.acme.example"}]})
}

/// A command of this type and body. Its id is `command`; members of `meta` in the body win.
pub fn bytes(command: Uuid, name: &str, body: &Value) -> Vec<u8> {
    let mut whole = json!({
        "type": name,
        "meta": {"command_id": command, "tenant_id": TENANT, "actor": {"principal": "ada", "type": "USER"}},
    });
    for (member, value) in body.as_object().unwrap() {
        if member == "meta" {
            whole["meta"].as_object_mut().unwrap().extend(value.as_object().unwrap().clone());
        } else {
            whole[member] = value.clone();
        }
    }
    json::read(&whole).unwrap().bytes
}

/// A tenant's present in memory, and decisions on it.
pub struct World {
    pub model: Model,
    pub rules: Rules,
    next: u128,
}

impl World {
    pub fn new() -> Self {
        Self { model: Model::default(), rules: rules(), next: 1_000 }
    }

    /// Decides a command and folds what it leads to.
    pub fn decide(&mut self, name: &str, body: Value) -> Result<Decision, Vec<Violation>> {
        self.next += 1;
        let command = Command::decode(&bytes(id(self.next), name, &body)).unwrap();
        self.decide_command(&command)
    }

    pub fn decide_command(&mut self, command: &Command) -> Result<Decision, Vec<Violation>> {
        let snapshot = self.model.answer(&question(0, std::iter::once(command), &Overlay::default()));
        let base = layers(snapshot);
        let state = State::new(TENANT, [None, None, base.get(TENANT)]);
        let decided = decide::decide(&state, command, NOW, &self.rules).map_err(|rejection| rejection.0.into_list())?;
        self.model.decided(command, &decided);
        Ok(decided)
    }

    /// Decides what must succeed.
    pub fn must(&mut self, name: &str, body: Value) -> Decision {
        self.decide(name, body).unwrap()
    }

    /// A world with one source of this id and name.
    pub fn with_source(number: u128, name: &str) -> Self {
        let mut world = Self::new();
        world.must("CreateDataSource", json!({"source_id": id(number), "spec": spec(name)}));
        world
    }
}
