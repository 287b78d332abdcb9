//! Every way that a secret goes: as people and publishers use the system, and as they must not.

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use pursight_attestation::{Claims, HEADER, Permission, Publisher, SigningKey};
use pursight_schemas::topics::partition_of;
use pursight_schemas::{Micros, Topic, json as commands};
use pursight_tests::canary::Scan;
use pursight_tests::eventually;
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::echo::{self, Telling};
use super::records;
use super::world::{Mistake, World};

/// Most attempts to kill the workers within a transaction.
const KILLS: usize = 20;

/// All of them.
pub fn everything(world: &mut World) -> Result<()> {
    world.client_key()?;
    world.run()?;
    sealed_by_hand(world)?;
    sources(world)?;
    runs(world)?;
    on_the_command_line(world)?;
    mistakes(world)?;
    shown(world)?;
    crashed(world)?;
    killed(world)
}

fn sealed_by_hand(world: &World) -> Result<()> {
    let secret = world.secret("secret sealed by hand");
    world.must(&["secret", "seal", "--id", "by-hand"], secret.text(), 0)?;
    let newer = world.secret("its next version");
    world.must(&["secret", "seal", "--id", "by-hand", "--json"], newer.text(), 0)?;
    world.must(&["secret", "rotate"], "", 0)?;
    world.must(&["secret", "list", "--json"], "", 0).map(drop)
}

/// Registers a source: `change` makes its spec another than that of the customer.
fn register(world: &World, customer: usize, name: &str, change: Json, words: &[&str], stdin: &str) -> Result<()> {
    let customer = &world.customers[customer];
    let mut spec = json!({
        "name": name, "source_type": "POSTGRESQL", "location": "ON_PREM", "database": customer.database,
        "username": customer.user, "hosts": [{"host": customer.host, "port": customer.port}]
    });
    for (field, value) in change.as_object().into_iter().flatten() {
        spec[field] = value.clone();
    }
    let file = world.said.path().join(format!("{name}.json"));
    fs::write(&file, spec.to_string())?;
    let file = file.display().to_string();
    world.must(&[&["source", "create", "--spec", &file], words].concat(), stdin, 0).map(drop)
}

fn sources(world: &World) -> Result<()> {
    for customer in &world.customers {
        customer.sql.run("CREATE TABLE orders(id int PRIMARY KEY, note text); INSERT INTO orders VALUES (1, 'x')")?;
        customer.grant_all()?;
    }
    let stdin = ["--password-stdin"];
    let right = world.customers[0].password.clone();
    let wrong = world.secret("wrong password").text().to_owned();
    register(world, 0, "right", json!({}), &stdin, &right)?;
    register(world, 0, "password", json!({}), &["--password-stdin", "--json"], &wrong)?;
    register(world, 0, "authority", json!({"tls": {"mode": "VERIFY_FULL"}}), &stdin, &right)?;
    register(world, 0, "host", json!({"hosts": [{"host": "nowhere.invalid"}]}), &stdin, &right)?;
    register(world, 0, "database", json!({"database": "nothing_here"}), &stdin, &right)?;
    register(world, 0, "egress", json!({"hosts": [{"host": "10.11.12.13"}]}), &stdin, &right)?;
    for (name, telling) in [("text", Telling::Text), ("code", Telling::Code), ("notice", Telling::Notice)] {
        let port = echo::serve(&right, telling)?;
        let hosts = json!({"hosts": [{"host": "127.0.0.1", "port": port}], "tls": {"mode": "DISABLE"}});
        register(world, 0, name, hosts, &stdin, &right)?;
    }
    register(world, 1, "environment", json!({}), &["--password-ref", "env://CUSTOMER_PASSWORD"], "")?;
    let reference = |name: &str| format!("file://{}", world.file_secret(name).display());
    let pair = json!({"uri": reference("client.key")});
    let tls = json!({"mode": "REQUIRE", "client_certificate": {"uri": reference("client.pem")}, "client_key": pair});
    register(world, 2, "file", json!({"tls": tls}), &["--password-ref", &reference("password")], "")?;
    // Certificate and key the wrong way round: the key is read as something that it is not.
    let crossed =
        json!({"mode": "REQUIRE", "client_certificate": pair, "client_key": {"uri": reference("client.pem")}});
    register(world, 2, "crossed", json!({"tls": crossed}), &["--password-ref", &reference("password")], "")?;
    register(world, 1, "forbidden", json!({}), &["--password-ref", "env://PURSIGHT_KAFKA_SASL_PASSWORD"], "")?;
    let newer = world.secret("password of an update").text().to_owned();
    world.must(&["source", "update", "password", "--password-stdin"], &newer, 0).map(drop)
}

/// Everything that connects: tests that pass and fail, discovery, statistics.
fn runs(world: &World) -> Result<()> {
    let mut calls: Vec<(Vec<&str>, i32)> = vec![
        (vec!["source", "discover", "right"], 0),
        (vec!["source", "discover", "password"], 1),
        (vec!["source", "discover", "text"], 1),
        (vec!["source", "stats", "environment", "--json"], 0),
    ];
    for name in ["right", "environment", "file"] {
        calls.push((vec!["source", "test", name, "--json"], 0));
    }
    for name in
        ["password", "authority", "host", "database", "egress", "text", "code", "notice", "crossed", "forbidden"]
    {
        calls.push((vec!["source", "test", name], 1));
    }
    std::thread::scope(|scope| {
        // A person each, but not all at once: the machine may be small.
        let people: Vec<_> = calls.chunks(4).map(|calls| scope.spawn(|| in_turn(world, calls))).collect();
        people
            .into_iter()
            .try_for_each(|person| person.join().map_err(|_| anyhow::anyhow!("a person's calls panicked"))?)
    })
}

/// Makes calls one after the other; each must end with its code.
fn in_turn(world: &World, calls: &[(Vec<&str>, i32)]) -> Result<()> {
    calls.iter().try_for_each(|(words, code)| world.must(words, "", *code).map(drop))
}

/// Secrets typed where none belongs: refused before anything is sent, and not repeated.
fn on_the_command_line(world: &World) -> Result<()> {
    let secret = world.secret("secret typed on the command line");
    let text = secret.text();
    let create = ["source", "create", "--name", "typed", "--type", "postgresql", "--host", "127.0.0.1"];
    let (joined, property, user_info) =
        (format!("--password={text}"), format!("password={text}"), format!("reader:{text}@127.0.0.1"));
    let url = format!("postgres://reader:{text}@127.0.0.1/shop");
    let assigned = format!("password={text}");
    for words in [
        &["--password", text][..],
        &[joined.as_str()],
        &[text],
        &["--password-ref", text],
        &["--password-ref", &url],
        &["--tls-ca", text],
        &["--property", &property],
        &["--option", &property],
        &["--description", &assigned],
        &["--user", &url],
        &["--host", &user_info],
        &["--host", &url],
        &["--port", text],
        &["--type", text],
        &["--json", "--password-ref", text],
        &["--json", "--property", &property],
    ] {
        let answer = world.call_unwisely(&[&create, words].concat())?;
        ensure!(answer.code == 2, "{} was not wrong usage: {}", words[0], answer.code);
    }
    for words in [
        vec!["secret", "seal", text],
        vec!["secret", "seal", "--id", text],
        vec!["source", "update", "right", "--password-ref", text],
        vec!["source", "update", "right", "--property", &property],
        vec!["keys", "create", "--issuer", "tests", "--tenant", "*", "--permission", text, "--out", "x"],
        vec!["command", "show", text],
        vec!["watch", "--from", text],
    ] {
        ensure!(world.call_unwisely(&words)?.code == 2, "{} is not wrong usage", words[..2].join(" "));
    }
    Ok(())
}

/// Publishers who write secrets into commands, well-formed and not.
fn mistakes(world: &mut World) -> Result<()> {
    let garbage = world.secret("secret in garbage");
    let value = json!({"type": "CreateDataSource", "spec": {"name": "x", "password": garbage.text()}}).to_string();
    let header = format!("Basic {}", garbage.text());
    send(world, &garbage.name, value.into_bytes(), &[("authorization", &header)])?;

    let unsigned = world.secret("secret in an unsigned command");
    let value = command(world, json!({"credential": {"uri": unsigned.text()}}))?;
    send(world, &unsigned.name, value.0, &[])?;

    for (name, change) in [
        ("secret in place of a reference", json!({"credential": {"uri": "@"}})),
        ("secret in a URL", json!({"username": "postgres://u:@@h/d"})),
        ("secret among properties", json!({"properties": {"password": "@"}})),
        ("secret as the name of a property", json!({"properties": {"password=@": "x"}})),
        ("secret in a description", json!({"description": "its password: @"})),
        ("secret in a host", json!({"hosts": [{"host": "u:@@127.0.0.1"}]})),
        ("secret as an option", json!({"options": {"password": "@"}})),
    ] {
        let secret = world.secret(name);
        let (value, signature) = command(world, placed(&change, secret.text()))?;
        send(world, &secret.name, value, &[(HEADER, &signature)])?;
    }
    let refused = world.mistakes.len() - 2;
    eventually("every mistake is answered", || {
        let letters = world.system.sql.rows("SELECT code FROM pursight.dead_letter")?.len();
        let answers = world.system.sql.rows("SELECT state FROM pursight.command WHERE state = 'REJECTED'")?.len();
        Ok((letters == 2 && answers >= refused).then_some(()))
    })
}

/// The same document with the secret in place of `@`.
fn placed(document: &Json, secret: &str) -> Json {
    let put = |text: &str| text.replacen('@', secret, 1);
    match document {
        Json::String(text) => json!(put(text)),
        Json::Array(items) => items.iter().map(|item| placed(item, secret)).collect(),
        Json::Object(fields) => fields.iter().map(|(name, value)| (put(name), placed(value, secret))).collect(),
        other => other.clone(),
    }
}

/// A well-formed command that says too much, and its signature.
fn command(world: &World, change: Json) -> Result<(Vec<u8>, String)> {
    let (tenant, id) = (world.system.tenant.clone(), Uuid::now_v7());
    let meta = json!({"command_id": id, "tenant_id": tenant, "actor": {"principal": "upstream", "type": "SERVICE"}});
    let mut spec = json!({
        "name": id, "source_type": "POSTGRESQL", "location": "ON_PREM", "hosts": [{"host": "127.0.0.1", "port": 1}]
    });
    for (field, value) in change.as_object().into_iter().flatten() {
        spec[field] = value.clone();
    }
    let command = json!({"type": "CreateDataSource", "meta": meta, "spec": spec});
    let value = commands::read(&command).map_err(|problems| anyhow::anyhow!("{problems:?}"))?.bytes;
    let publisher = Publisher {
        issuer: "tests".to_owned(),
        tenant,
        subject: "upstream".to_owned(),
        permissions: Permission::ALL.to_vec(),
    };
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
    let claims = Claims::of(publisher, id, &value, Micros(i64::try_from(now.as_micros())?))?;
    let signature = SigningKey::load(&world.system.settings["PURSIGHT_SIGNING_KEY"])?.sign(&claims);
    Ok((value, signature))
}

/// Sends it as an upstream system would, uncompressed, and remembers where it lies.
fn send(world: &mut World, canary: &str, value: Vec<u8>, headers: &[(&str, &str)]) -> Result<()> {
    let at = world.system.kafka.send(&world.system.tenant, &value, headers, None)?;
    let parts = [value].into_iter().chain(headers.iter().map(|(_, value)| value.as_bytes().to_vec())).collect();
    world.mistakes.push(Mistake { canary: canary.to_owned(), parts, at });
    Ok(())
}

/// Everything that the command line shows, to people and to programs.
fn shown(world: &World) -> Result<()> {
    let letter = world.system.sql.rows("SELECT partition, log_offset FROM pursight.dead_letter")?;
    let letter = format!("{}/{}", letter[0]["partition"], letter[0]["log_offset"]);
    let command = world.system.sql.rows("SELECT command_id FROM pursight.command WHERE state = 'REJECTED'")?;
    let command = command[0]["command_id"].as_str().context("an id")?.to_owned();
    for words in [
        vec!["source", "list", "--json"],
        vec!["source", "show", "right"],
        vec!["source", "show", "password", "--json"],
        vec!["source", "history", "password", "--json"],
        vec!["source", "uri", "right"],
        vec!["source", "objects", "right", "--json"],
        vec!["source", "changes", "right", "--json"],
        vec!["settings"],
        vec!["settings", "--json"],
        vec!["doctor"],
        vec!["doctor", "--json"],
        vec!["dead-letter", "list", "--json"],
        vec!["dead-letter", "show", &letter],
        vec!["dead-letter", "show", &letter, "--json"],
        vec!["command", "list", "--json"],
        vec!["command", "show", &command],
        vec!["command", "show", &command, "--json"],
        vec!["replay", "--topic", "outcome"],
        vec!["replay", "--topic", "source", "--json"],
        vec!["replay", "--topic", "connection"],
        vec!["replay", "--topic", "audit"],
        vec!["replay", "--topic", "dead-letter"],
    ] {
        let answer = world.call(&words, "")?;
        ensure!(answer.code <= 1, "pursight {}: {answer:?}", words.join(" "));
    }
    Ok(())
}

/// A crash at full size: the workers die of a signal that dumps a core, where a core may be dumped.
fn crashed(world: &mut World) -> Result<()> {
    let mut workers = world.workers.take().context("running")?;
    let limits = fs::read_to_string(format!("/proc/{}/limits", workers.pid()))?;
    let limit = limits.lines().find(|line| line.starts_with("Max core file size")).context("a limit")?.to_owned();
    workers.signal("ABRT")?;
    let status = workers.wait_end()?;
    ensure!(!std::os::unix::process::ExitStatusExt::core_dumped(&status), "the workers dumped a core ({limit})");
    world.run()
}

/// Kills the workers while commands flow, until a transaction was cut in two: its records lie on the log, aborted.
fn killed(world: &mut World) -> Result<()> {
    let source = world.must(&["source", "show", "right", "--json"], "", 0)?.json()?["source_id"].clone();
    let line =
        |favorite: bool| format!("{}\n", json!({"type": "SetFavorite", "source_id": source, "favorite": favorite}));
    let flood: String = (0..300).map(|at| line(at % 2 == 0)).collect();
    let nothing = Scan::of(&[]);
    let bootstrap = world.broker.bootstrap();
    let seen = |isolation| records::search(&bootstrap, isolation, &nothing).map(|(_, count)| count);
    for _ in 0..KILLS {
        let mark = end_of_outcomes(world)?;
        world.must(&["send", "-"], &flood, 0)?;
        eventually("the first outcomes", || Ok((end_of_outcomes(world)? > mark).then_some(())))?;
        world.workers.take().context("running")?.kill()?;
        world.run()?;
        caught_up(world)?;
        if seen("read_uncommitted")? > seen("read_committed")? {
            return Ok(());
        }
    }
    anyhow::bail!("no transaction was cut by {KILLS} kills")
}

/// Where the tenant's partition of outcomes ends, for readers of what is not committed.
fn end_of_outcomes(world: &World) -> Result<i64> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", world.broker.bootstrap())
        .set("isolation.level", "read_uncommitted")
        .create()?;
    let partition = partition_of(world.system.tenant.as_bytes(), Topic::Outcome.partitions());
    let topic = Topic::Outcome.name(&world.system.kafka.prefix);
    Ok(consumer.fetch_watermarks(&topic, partition, Duration::from_secs(30))?.1)
}

/// Waits until a command that comes after all others is decided and visible.
fn caught_up(world: &World) -> Result<()> {
    let send = json!({"type": "SetFavorite", "source_id": Uuid::nil(), "favorite": true}).to_string();
    world.must(&["send", "-", "--wait", "--json"], &send, 1).map(drop)
}
