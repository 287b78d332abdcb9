//! The read model, in memory, as the registry asks it.

use std::collections::{BTreeMap, BTreeSet};

use pursight_read_model::decider::{CommandRow, NameRow, Query, RunRow, Snapshot, SourceRow};
use pursight_schemas::{Command, DeleteMode, Event};
use uuid::Uuid;

use crate::decide::{Answer, Decision};

#[derive(Debug, Clone, Default)]
pub struct Model {
    pub sources: BTreeMap<(String, Uuid), SourceRow>,
    pub commands: BTreeMap<(String, Uuid), CommandRow>,
    pub runs: BTreeMap<(String, Uuid), RunRow>,
    pub source_next: i64,
    pub outcome_next: i64,
}

impl Model {
    /// Folds an event of the source or outcome topic.
    pub fn fold(&mut self, event: &Event) {
        let meta = event.meta();
        let tenant = meta.tenant_id.clone();
        let key = (tenant.clone(), meta.source_id.unwrap_or_default());
        let sources = &mut self.sources;
        let mut to = |state: &str| {
            let row = sources.get_mut(&key).unwrap();
            assert_eq!(row.version + 1, meta.sequence, "versions have no gap");
            (row.version, row.state) = (meta.sequence, state.to_owned());
        };
        match event {
            Event::DataSourceCreated(created) => {
                assert_eq!(meta.sequence, 1);
                let row = SourceRow {
                    tenant_id: tenant,
                    source_id: key.1,
                    version: 1,
                    state: "ACTIVE".into(),
                    name_key: created.name_key.clone(),
                    spec: created.spec.clone(),
                };
                assert!(sources.insert(key, row).is_none(), "an id is used once");
            }
            Event::DataSourceUpdated(updated) => {
                let row = sources.get_mut(&key).unwrap();
                assert_eq!(row.version + 1, meta.sequence, "versions have no gap");
                row.version += 1;
                (row.name_key, row.spec) = (updated.name_key.clone(), updated.spec.clone());
            }
            Event::DataSourceDeleted(deleted) => {
                to(if deleted.mode == DeleteMode::Purge { "PURGED" } else { "DELETED" })
            }
            Event::DataSourceRestored(_) | Event::DataSourceResumed(_) => to("ACTIVE"),
            Event::DataSourcePaused(_) => to("PAUSED"),
            Event::CommandAccepted(accepted) => {
                self.command(
                    &tenant,
                    meta.command_id.unwrap(),
                    &accepted.command_type,
                    &accepted.payload_sha256,
                    false,
                );
            }
            Event::CommandSucceeded(done) => {
                let hash = done.payload_sha256.clone().unwrap_or_default();
                let command = meta.command_id.unwrap();
                self.command(&tenant, command, &done.command_type, &hash, true);
                if let Some(run) = done.result.get("run_id").filter(|_| done.command_type.ends_with("CreateDataSource"))
                {
                    let run = Uuid::parse_str(run).unwrap();
                    self.run(&tenant, run, command, &done.command_type, false);
                }
            }
            Event::CommandRejected(no) => {
                let hash = no.payload_sha256.clone().unwrap_or_default();
                self.command(&tenant, meta.command_id.unwrap(), &no.command_type, &hash, true);
            }
            Event::CommandFailed(failed) => self.end(&tenant, meta.command_id.unwrap(), &failed.command_type),
            _ => {}
        }
    }

    fn command(&mut self, tenant: &str, id: Uuid, command_type: &str, hash: &str, ended: bool) {
        let row = CommandRow { tenant_id: tenant.into(), command_id: id, payload_sha256: Some(hash.into()) };
        self.commands.insert((tenant.into(), id), row);
        self.run(tenant, id, id, command_type, ended);
    }

    fn run(&mut self, tenant: &str, run_id: Uuid, command_id: Uuid, command_type: &str, ended: bool) {
        let command_type = command_type.to_owned();
        let row = RunRow { tenant_id: tenant.into(), run_id, command_id, command_type, rejected: false, ended };
        self.runs.insert((tenant.into(), run_id), row);
    }

    /// A run comes to its end.
    pub fn end(&mut self, tenant: &str, id: Uuid, command_type: &str) {
        self.run(tenant, id, id, command_type, true);
    }

    /// Folds a decision whose records were not written.
    pub fn decided(&mut self, command: &Command, decision: &Decision) {
        let meta = command.meta();
        for event in &decision.events {
            let mut event = event.clone();
            event.meta_mut().tenant_id.clone_from(&meta.tenant_id);
            self.fold(&event);
        }
        self.command(&meta.tenant_id, meta.command_id, command.full_name(), "", decision.answer != Answer::Accepted);
        for work in decision.work.iter().filter(|work| work.run_id != meta.command_id) {
            self.run(&meta.tenant_id, work.run_id, meta.command_id, command.full_name(), false);
        }
    }

    fn is_live(row: &SourceRow) -> bool {
        row.state == "ACTIVE" || row.state == "PAUSED"
    }

    pub fn live(&self) -> impl Iterator<Item = &SourceRow> {
        self.sources.values().filter(|row| Self::is_live(row))
    }

    /// What the statement of the read model answers.
    pub fn answer(&self, query: &Query) -> Snapshot {
        let found: Vec<SourceRow> = query.sources.iter().filter_map(|key| self.sources.get(key)).cloned().collect();
        let mut names: BTreeSet<(String, String)> = query.names.iter().cloned().collect();
        names.extend(found.iter().map(|row| (row.tenant_id.clone(), row.name_key.clone())));
        let owner = |tenant: &str, key: &str| {
            self.live().find(|row| row.tenant_id == tenant && row.name_key == key).map(|row| row.source_id)
        };
        let names = names.into_iter().map(|(tenant_id, name_key)| {
            let source_id = owner(&tenant_id, &name_key);
            NameRow { tenant_id, name_key, source_id }
        });
        let filter = query.filter.as_ref();
        let chosen = self.live().filter(|row| {
            filter.is_some_and(|filter| {
                filter.tenant == row.tenant_id
                    && (filter.types.is_empty() || filter.types.iter().any(|one| one == row.spec.source_type.symbol()))
            })
        });
        let mut sources = found.clone();
        sources.extend(chosen.filter(|row| !found.contains(row)).cloned());
        let live = query.tenants.iter().map(|tenant| {
            let count = self.live().filter(|row| row.tenant_id == *tenant).count();
            (tenant.clone(), i64::try_from(count).unwrap())
        });
        Snapshot {
            source_next: self.source_next,
            outcome_next: self.outcome_next,
            names: names.collect(),
            sources,
            commands: query.commands.iter().filter_map(|key| self.commands.get(key)).cloned().collect(),
            runs: query.runs.iter().filter_map(|key| self.runs.get(key)).cloned().collect(),
            live: live.collect(),
        }
    }
}
