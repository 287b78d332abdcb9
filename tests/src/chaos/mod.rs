//! The chaos harness: a whole system on servers of its own, publishers that send what a seed says, faults that the same
//! seed schedules, and a folder in which everything is kept that the checks need. It judges nothing itself; what a run
//! must look like is in `checks`, and how its folder is read in `history`.
//!
//! `plan` says how much of what, `stream` and `author` what is sent, `nemesis` what goes wrong; those three are pure.
//! `scene` plays it: `publish`, `fleet` and `watch` at once; `drain`, `log` and `rows` come afterwards.

mod author;
mod diary;
mod drain;
mod figures;
mod fleet;
mod log;
mod nemesis;
mod operation;
mod plan;
mod publish;
mod random;
mod report;
mod rows;
mod scene;
mod stream;
mod time;
mod watch;

use std::path::Path;
use std::sync::atomic::AtomicU64;

use anyhow::{Context as _, Result, ensure};
use pursight_attestation::SigningKey;
use pursight_schemas::Topic;

pub use nemesis::{Fault, What};
pub use plan::{Faults, Plan};
pub use report::{Report, judge};

use self::author::{CREDENTIAL, Target};
use self::diary::Diary;
use self::publish::{Desk, Keys};
use self::scene::Scene;
use crate::customer::Customer;
use crate::history::Folder;
use crate::servers::{Broker, Cluster};
use crate::system::System;

/// Makes one run. Everything about it lies in `path` afterwards, which must not be there before.
///
/// # Errors
/// The harness itself could not do its work. What the system did wrong is in the folder, for the checks to find.
pub fn run(plan: &Plan, path: &Path, loud: bool) -> Result<()> {
    ensure!(!path.exists(), "{} is there already", path.display());
    let folder = Folder::create(path)?;
    let diary = Diary::new(&folder, loud);
    diary.say("starting a broker, a database and a customer's database");
    let (mut broker, mut cluster) = (Broker::start()?, Cluster::start()?);
    let customer = customer()?;
    let (bootstrap, admin) = (broker.bootstrap(), cluster.url());
    // On a loaded machine a broker that has just started may answer too late.
    let mut system = System::bare_on(&bootstrap, &admin).or_else(|_| System::bare_on(&bootstrap, &admin))?;
    let tenants: Vec<String> = (1..=plan.tenants).map(|number| format!("tenant-{}-{number}", plan.seed)).collect();
    let keys = keys(&mut system, &tenants, &customer)?;
    let target = Target {
        host: customer.host.clone(),
        port: customer.port,
        database: customer.database.clone(),
        user: customer.user.clone(),
    };
    let url = system.settings["PURSIGHT_DATABASE_URL"].clone();
    let prefix = system.kafka.prefix.clone();
    folder.write("plan", &plan.document(&prefix, &tenants))?;
    system.settings.extend(plan.environment.clone());
    let scene = Scene { plan, folder: &folder, diary: &diary, system: &system, url: &url };
    let streams = (0..plan.publishers).map(|number| stream::stream(plan, number, &tenants, &target)).collect();
    let desk = Desk {
        bootstrap: &bootstrap,
        topic: Topic::Command.name(&prefix),
        keys,
        folder: &folder,
        next: AtomicU64::new(0),
        ended: AtomicU64::new(0),
    };
    let done = scene.play(&desk, streams, &mut broker, &mut cluster);
    let kept = keep_logs(&system, &broker, &cluster, &folder);
    done.and(kept)
}

/// A small database with something to find.
fn customer() -> Result<Customer> {
    let customer = Customer::create()?;
    customer.sql.run(
        "CREATE TABLE public.orders (id int PRIMARY KEY, customer int NOT NULL, note text);
        CREATE TABLE public.customers (id int PRIMARY KEY, name text UNIQUE);
        ALTER TABLE public.orders ADD FOREIGN KEY (customer) REFERENCES public.customers;
        CREATE INDEX ON public.orders (customer); CREATE VIEW public.open AS SELECT id FROM public.orders;
        INSERT INTO public.customers SELECT n, 'name ' || n FROM generate_series(1, 500) n; ANALYZE",
    )?;
    customer.grant_all()?;
    Ok(customer)
}

/// The publishers' keys, and the customer's password sealed for each tenant.
fn keys(system: &mut System, tenants: &[String], customer: &Customer) -> Result<Keys> {
    let path = |system: &System, name: &str| system.folder.path().join(name).display().to_string();
    let (viewer, stranger, elsewhere) =
        (path(system, "viewer.pem"), path(system, "stranger.pem"), path(system, "elsewhere.jwks"));
    system.key("viewer", "*", &["scan.view"], &viewer)?;
    let trusted = system.settings.insert("PURSIGHT_TRUSTED_KEYS".to_owned(), elsewhere).context("set")?;
    system.key("tests", "*", &["scan.create", "scan.edit"], &stranger)?;
    system.settings.insert("PURSIGHT_TRUSTED_KEYS".to_owned(), trusted);
    let own = system.tenant.clone();
    for tenant in tenants {
        system.settings.insert("PURSIGHT_TENANT".to_owned(), tenant.clone());
        let sealed = system.call_with(&["secret", "seal", "--id", CREDENTIAL], &customer.password)?;
        ensure!(sealed.code == 0, "sealing the customer's password: {sealed:?}");
    }
    system.settings.insert("PURSIGHT_TENANT".to_owned(), own);
    Ok(Keys {
        trusted: SigningKey::load(&system.settings["PURSIGHT_SIGNING_KEY"])?,
        viewer: SigningKey::load(viewer)?,
        stranger: SigningKey::load(stranger)?,
    })
}

/// What every process said, into the folder.
fn keep_logs(system: &System, broker: &Broker, cluster: &Cluster, folder: &Folder) -> Result<()> {
    let logs = folder.logs();
    for entry in std::fs::read_dir(system.folder.path())? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "log") {
            std::fs::copy(&path, logs.join(path.file_name().context("a name")?))?;
        }
    }
    std::fs::copy(broker.log(), logs.join("broker.log"))?;
    std::fs::copy(cluster.log(), logs.join("database.log"))?;
    Ok(())
}
