//! One publisher's commands, drawn one after the other. It remembers what should have become of its own sources, so that
//! most expected versions are right and most commands make sense; what others do to their names it cannot know. Pure.

use pursight_schemas::json;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::random::Random;

/// The customer's database, as commands name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Host.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Database.
    pub database: String,
    /// Login.
    pub user: String,
}

/// Id of the sealed password that every tenant has.
pub const CREDENTIAL: &str = "customer";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Active,
    Paused,
    Deleted,
    Purged,
}

#[derive(Debug, Clone)]
struct Source {
    id: Uuid,
    tenant: String,
    name: String,
    version: u64,
    state: State,
    /// Whether all that was done to it depends on nobody else.
    sure: bool,
    /// Whether purging it destroys nothing that others need.
    own_secret: bool,
}

/// A command as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Its short name.
    pub kind: String,
    /// Its id.
    pub id: Uuid,
    /// Its tenant.
    pub tenant: String,
    /// Framed.
    pub value: Vec<u8>,
}

/// One publisher's mind.
pub struct Author {
    pub(super) random: Random,
    name: String,
    tenants: Vec<String>,
    target: Target,
    sources: Vec<Source>,
    runs: Vec<(String, Uuid)>,
    count: usize,
}

impl Author {
    /// A publisher that has not sent anything.
    pub fn new(random: Random, name: &str, tenants: &[String], target: &Target) -> Self {
        let (name, tenants, target) = (name.to_owned(), tenants.to_vec(), target.clone());
        Self { random, name, tenants, target, sources: Vec::new(), runs: Vec::new(), count: 0 }
    }

    /// The next sensible command.
    pub fn next(&mut self) -> Written {
        // In a thousand; what cannot be done at the moment becomes a creation.
        let draw = self.random.below(1_000);
        let written = match draw {
            0..300 => None,
            300..510 => self.update(),
            510..610 => self.rename(),
            610..700 => self.delete(),
            700..770 => self.restore(),
            770..840 => self.pause_or_resume(),
            840..880 => self.favorite(),
            880..920 => self.bulk(),
            920..990 => self.run(),
            _ => self.cancel(),
        };
        written.unwrap_or_else(|| self.create(None))
    }

    /// A creation; with `under` one under that id and for that tenant, which is not expected to make a source.
    pub fn create(&mut self, under: Option<(Uuid, &str)>) -> Written {
        let tenant = under.map(|(_, tenant)| tenant.to_owned());
        let tenant = tenant.or_else(|| self.random.pick(&self.tenants).cloned()).unwrap_or_default();
        let (name, sure) = self.a_name(&tenant);
        let source = self.random.id();
        let own_secret = self.random.chance(25);
        let mut body = json!({"source_id": source, "spec": self.spec(&tenant, &name, own_secret)});
        let then = self.random.below(20);
        if then < 2 {
            body["afterwards"] = json!(["TEST", "DISCOVER"][then]);
        }
        if under.is_none() {
            let made =
                Source { id: source, tenant: tenant.clone(), name, version: 1, state: State::Active, sure, own_secret };
            self.sources.push(made);
        }
        self.write("CreateDataSource", &tenant, under.map(|(id, _)| id), body)
    }

    /// A creation that nothing is built upon.
    pub fn aside(&mut self) -> Written {
        let tenant = self.random.pick(&self.tenants).cloned().unwrap_or_default();
        let id = self.random.id();
        self.create(Some((id, &tenant)))
    }

    /// A command that is well formed and must be refused.
    pub fn invalid(&mut self) -> Written {
        let tenant = self.random.pick(&self.tenants).cloned().unwrap_or_default();
        let name = self.fresh_name();
        let mut spec = self.spec(&tenant, &name, true);
        match self.random.below(5) {
            0 => spec["hosts"] = json!([]),
            1 => spec["options"] = json!({"sslmode": "allow"}),
            2 => spec["credential"] = json!({"uri": "hunter2"}),
            3 => spec["tls"] = json!({"mode": "DISABLE"}),
            _ => spec["name"] = json!("n".repeat(200)),
        }
        if spec["tls"]["mode"] == "DISABLE" {
            spec["location"] = json!("CLOUD");
        }
        self.write("CreateDataSource", &tenant, None, json!({"spec": spec}))
    }

    fn spec(&self, tenant: &str, name: &str, own_secret: bool) -> Json {
        let secret = if own_secret { format!("{}-{}", self.name, self.count) } else { CREDENTIAL.to_owned() };
        let Target { host, port, database, user } = &self.target;
        json!({
            "name": name, "source_type": "POSTGRESQL", "location": "ON_PREM", "hosts": [{"host": host, "port": port}],
            "database": database, "username": user, "credential": {"uri": format!("sealed://{tenant}/{secret}")},
        })
    }

    fn fresh_name(&mut self) -> String {
        self.count += 1;
        format!("{} {}", self.name, self.count)
    }

    /// In one of five cases a name that others want, too; else nobody has it. The second says whether it is sure.
    fn a_name(&mut self, tenant: &str) -> (String, bool) {
        if self.random.chance(20) {
            let own: Vec<String> =
                self.sources.iter().filter(|one| one.tenant == tenant).map(|one| one.name.to_uppercase()).collect();
            let again = if self.random.chance(30) { self.random.pick(&own).cloned() } else { None };
            let shared = format!("shared {}", self.random.below(12));
            return (again.unwrap_or(shared), false);
        }
        (self.fresh_name(), true)
    }

    fn meta(&mut self, tenant: &str, id: Option<Uuid>) -> Json {
        let id = id.unwrap_or_else(|| self.random.id());
        json!({"command_id": id, "tenant_id": tenant, "actor": {"principal": self.name, "type": "SERVICE"}})
    }

    fn write(&mut self, kind: &str, tenant: &str, id: Option<Uuid>, mut body: Json) -> Written {
        let mut meta = self.meta(tenant, id);
        if let Some(version) = body.as_object_mut().and_then(|fields| fields.remove("expected_version")) {
            meta["expected_version"] = version;
        }
        let id = meta["command_id"].as_str().and_then(|text| Uuid::try_parse(text).ok()).unwrap_or_default();
        body["type"] = json!(kind);
        body["meta"] = meta;
        // What the contract does not know would be a fault of this file, and a test of it says so.
        let value = json::read(&body).map(|framed| framed.bytes).unwrap_or_default();
        Written { kind: kind.to_owned(), id, tenant: tenant.to_owned(), value }
    }

    /// One of the sources in these states, by its place.
    fn one(&mut self, states: &[State]) -> Option<usize> {
        let fit: Vec<usize> = (0..self.sources.len()).filter(|at| states.contains(&self.sources[*at].state)).collect();
        // The newest are asked for most: those are what a cut-off worker is busy with.
        if self.random.chance(50) {
            let newest = &fit[fit.len().saturating_sub(5)..];
            return self.random.pick(newest).copied();
        }
        self.random.pick(&fit).copied()
    }

    /// A command on a source, in three of four cases with the version that should be its, or with another one.
    fn on(&mut self, kind: &str, at: usize, mut body: Json, state: Option<State>) -> Written {
        let Source { id, tenant, version, sure, .. } = self.sources[at].clone();
        body["source_id"] = json!(id);
        let wrong = self.random.chance(15);
        if wrong || (sure && self.random.chance(70)) {
            body["expected_version"] = json!(if wrong { version + 7 } else { version });
        }
        if let (Some(state), false) = (state, wrong) {
            self.sources[at].state = state;
            self.sources[at].version += 1;
        }
        self.write(kind, &tenant, None, body)
    }

    fn update(&mut self) -> Option<Written> {
        let at = self.one(&[State::Active, State::Paused])?;
        self.count += 1;
        let patch = json!({"owner": format!("{} {}", self.name, self.count), "tags": ["eu"]});
        let state = self.sources[at].state;
        Some(self.on("UpdateDataSource", at, json!({"patch": patch}), Some(state)))
    }

    fn rename(&mut self) -> Option<Written> {
        let at = self.one(&[State::Active, State::Paused])?;
        let (name, sure) = self.a_name(&self.sources[at].tenant.clone());
        let state = self.sources[at].state;
        let written = self.on("UpdateDataSource", at, json!({"patch": {"name": name}}), Some(state));
        self.sources[at].sure &= sure;
        self.sources[at].name = name;
        Some(written)
    }

    fn delete(&mut self) -> Option<Written> {
        let at = self.one(&[State::Active, State::Paused])?;
        let purge = self.sources[at].own_secret && self.random.chance(30);
        let (mode, state) = if purge { ("PURGE", State::Purged) } else { ("SOFT", State::Deleted) };
        Some(self.on("DeleteDataSource", at, json!({"mode": mode}), Some(state)))
    }

    fn restore(&mut self) -> Option<Written> {
        let at = self.one(&[State::Deleted])?;
        Some(self.on("RestoreDataSource", at, json!({}), Some(State::Active)))
    }

    fn pause_or_resume(&mut self) -> Option<Written> {
        let pause = self.random.chance(50);
        let (from, kind, to) = if pause {
            (State::Active, "PauseDataSource", State::Paused)
        } else {
            (State::Paused, "ResumeDataSource", State::Active)
        };
        let at = self.one(&[from])?;
        Some(self.on(kind, at, json!({}), Some(to)))
    }

    fn favorite(&mut self) -> Option<Written> {
        let at = self.one(&[State::Active, State::Paused])?;
        let Source { id, tenant, .. } = self.sources[at].clone();
        let favorite = self.random.chance(60);
        Some(self.write("SetFavorite", &tenant, None, json!({"source_id": id, "favorite": favorite})))
    }

    /// Several sources of one tenant: by their ids, or all whose names begin with the publisher's.
    fn bulk(&mut self) -> Option<Written> {
        let first = self.one(&[State::Active, State::Paused])?;
        let tenant = self.sources[first].tenant.clone();
        self.count += 1;
        let mut body = json!({"patch": {"description": format!("{} {}", self.name, self.count)}});
        let by_name = self.random.chance(30);
        let live = |one: &Source| one.tenant == tenant && matches!(one.state, State::Active | State::Paused);
        let mut ids = Vec::new();
        for source in self.sources.iter_mut().rev().filter(|one| live(one)) {
            let ours = source.name.starts_with(&self.name);
            if if by_name { ours } else { ids.len() < 4 } {
                source.version += 1;
                source.sure &= by_name;
                ids.push(source.id);
            }
        }
        if by_name {
            body["filter"] = json!({"name_glob": format!("{} *", self.name)});
        } else {
            body["source_ids"] = json!(ids);
        }
        Some(self.write("BulkUpdateDataSources", &tenant, None, body))
    }

    fn run(&mut self) -> Option<Written> {
        let at = self.one(&[State::Active])?;
        let Source { id, tenant, .. } = self.sources[at].clone();
        let kind = ["TestConnection", "DiscoverSchema", "CollectStatistics"][self.random.below(3)];
        let written = self.write(kind, &tenant, None, json!({"source_id": id}));
        self.runs.push((tenant, written.id));
        Some(written)
    }

    fn cancel(&mut self) -> Option<Written> {
        let newest = &self.runs[self.runs.len().saturating_sub(3)..];
        let (tenant, run) = self.random.pick(newest).cloned()?;
        Some(self.write("CancelRun", &tenant, None, json!({"run_id": run})))
    }
}
