//! What people are told when something is missing: by `pursight doctor`, and by the workers themselves.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use pursight_tests::system::free_port;
use pursight_tests::{Answer, System, eventually};
use rdkafka::producer::Producer as _;
use uuid::Uuid;

/// `doctor` must fail with this exit code and name the fault and its remedy.
fn doctor(system: &System, code: i32, words: &[&str]) -> Result<()> {
    let answer = system.call(&["doctor"])?;
    assert_eq!(answer.code, code, "{answer:?}");
    let json = system.call(&["doctor", "--json"])?.json()?;
    for word in words {
        assert!(answer.out.contains(word) || answer.err.contains(word), "doctor does not say {word:?}: {answer:?}");
        assert!(json.to_string().contains(word), "doctor --json does not say {word:?}: {json}");
    }
    Ok(())
}

/// Workers must end by themselves, quickly, with the fault and its remedy on standard error.
fn workers_refuse(system: &System, words: &[&str]) -> Result<()> {
    let began = Instant::now();
    let Answer { code, err, .. } = system.call(&["run", "all"])?;
    assert!(began.elapsed() < Duration::from_secs(30), "the workers took {:?} to refuse", began.elapsed());
    assert_ne!(code, 0, "{err}");
    for word in words {
        assert!(err.contains(word), "the workers do not say {word:?}: {err}");
    }
    Ok(())
}

#[test]
fn a_sound_system_has_no_fault() -> Result<()> {
    let system = System::start()?;
    let answer = system.call(&["doctor"])?;
    assert_eq!(answer.code, 0, "{answer:?}");
    Ok(())
}

#[test]
fn the_broker_is_away() -> Result<()> {
    let mut system = System::bare()?;
    let nowhere = format!("127.0.0.1:{}", free_port()?);
    system.settings.insert("PURSIGHT_KAFKA_BOOTSTRAP".into(), nowhere.clone());
    doctor(&system, 3, &[&nowhere, "PURSIGHT_KAFKA_BOOTSTRAP"])?;
    waiting_workers_say(&system, "broker")
}

#[test]
fn the_database_is_away() -> Result<()> {
    let mut system = System::bare()?;
    let port = free_port()?;
    let url = format!("postgres://nobody:canary-7731@127.0.0.1:{port}/nothing");
    system.settings.insert("PURSIGHT_DATABASE_URL".into(), url);
    doctor(&system, 3, &[&port.to_string(), "PURSIGHT_DATABASE_URL"])?;
    let answer = system.call(&["doctor"])?;
    assert!(!answer.out.contains("canary-7731") && !answer.err.contains("canary-7731"), "{answer:?}");
    waiting_workers_say(&system, "database")
}

#[test]
fn the_database_is_full() -> Result<()> {
    let mut system = System::bare()?;
    // A role for which there is room nowhere: the shared server stays open for the other tests.
    let role = format!("crowded_{}", Uuid::new_v4().simple());
    system.sql.run(&format!("CREATE ROLE {role} LOGIN PASSWORD 'crowded' CONNECTION LIMIT 0"))?;
    let (_, place) = system.settings["PURSIGHT_DATABASE_URL"].split_once('@').context("an address")?;
    system.settings.insert("PURSIGHT_DATABASE_URL".into(), format!("postgres://{role}:crowded@{place}"));
    doctor(&system, 3, &["too many", "max_connections"])?;
    waiting_workers_say(&system, "database")?;
    system.sql.run(&format!("DROP ROLE {role}"))
}

/// Workers whose dependency is away stay, and `/readyz` says what they wait for.
fn waiting_workers_say(system: &System, word: &str) -> Result<()> {
    let mut child = system
        .command(&["run", "all"])?
        .stderr(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .spawn()?;
    let said = eventually("/readyz says what is away", || {
        anyhow::ensure!(child.try_wait()?.is_none(), "the workers ended instead of waiting");
        let answer = system.health("/readyz").ok();
        Ok(answer.filter(|(status, body)| *status == 503 && body.contains(word)))
    });
    child.kill()?;
    child.wait()?;
    said.map(drop)
}

#[test]
fn topics_are_missing() -> Result<()> {
    let system = System::bare()?;
    system.kafka.remove()?;
    eventually("the topics are gone", || Ok((system.call(&["topics", "check"])?.code != 0).then_some(())))?;
    doctor(&system, 1, &["pursight topics apply"])?;
    workers_refuse(&system, &["pursight topics apply", "missing"])
}

#[test]
fn a_transaction_hangs() -> Result<()> {
    let system = System::bare()?;
    let topic = pursight_schemas::Topic::Outcome;
    let at_work = system.kafka.open_transaction(topic, 3, Duration::ZERO)?;
    let hanging = system.kafka.open_transaction(topic, 9, Duration::from_secs(600))?;
    let name = topic.name(&system.kafka.prefix);
    doctor(&system, 1, &[&format!("topic {name} partition 9"), "10 min", "kafka-transactions.sh"])?;
    let findings = system.call(&["doctor", "--json"])?.json()?.to_string();
    let command = format!("abort --topic {name} --partition 9 --start-offset 0");
    assert!(findings.contains(&command) && !findings.contains("partition 3"), "{findings}");
    hanging.abort_transaction(Duration::from_secs(30))?;
    let answer = system.call(&["doctor"])?;
    assert_eq!(answer.code, 0, "{answer:?}");
    at_work.abort_transaction(Duration::from_secs(30))?;
    Ok(())
}

#[test]
fn a_partition_count_is_wrong() -> Result<()> {
    let system = System::bare()?;
    system.kafka.grow(pursight_schemas::Topic::Source, 13)?;
    let name = pursight_schemas::Topic::Source.name(&system.kafka.prefix);
    doctor(&system, 1, &[&name, "13", "12"])?;
    workers_refuse(&system, &[&name, "13", "12"])?;
    let answer = system.call(&["topics", "check"])?;
    assert_eq!(answer.code, 1, "{answer:?}");
    let answer = system.call(&["topics", "apply"])?;
    assert_ne!(answer.code, 0, "apply must refuse as well: {answer:?}");
    Ok(())
}

#[test]
fn a_key_file_is_too_open_or_unreadable() -> Result<()> {
    let mut system = System::bare()?;
    let file = system.settings["PURSIGHT_SECRET_KEYS_FILE"].clone();
    std::fs::set_permissions(&file, Permissions::from_mode(0o644))?;
    doctor(&system, 1, &[&file, "chmod 600"])?;
    workers_refuse(&system, &[&file, "chmod 600"])?;
    std::fs::set_permissions(&file, Permissions::from_mode(0o600))?;

    let missing = system.folder.path().join("nowhere.keys").display().to_string();
    system.settings.insert("PURSIGHT_SECRET_KEYS_FILE".into(), missing.clone());
    doctor(&system, 1, &[&missing, "PURSIGHT_SECRET_KEYS_FILE"])?;
    workers_refuse(&system, &[&missing])
}

#[test]
fn migrations_are_missing() -> Result<()> {
    let system = System::bare()?;
    system.sql.run("DROP SCHEMA pursight CASCADE")?;
    doctor(&system, 1, &["pursight migrate"])?;
    workers_refuse(&system, &["pursight migrate"])
}

#[test]
fn a_worker_does_not_start_beside_a_password_in_the_environment() -> Result<()> {
    let mut system = System::bare()?;
    system.settings.insert("PGPASSWORD".into(), "canary-5512".into());
    workers_refuse(&system, &["PGPASSWORD"])?;
    let answer = system.call(&["run", "all"])?;
    assert!(!answer.err.contains("canary-5512"));
    Ok(())
}

#[test]
fn an_unknown_setting_is_named_with_its_neighbour() -> Result<()> {
    let mut system = System::bare()?;
    system.settings.insert("PURSIGHT_TOPIC_PREFIKS".into(), "x".into());
    let answer = system.call(&["run", "all"])?;
    assert_eq!(answer.code, 2, "{answer:?}");
    assert!(
        answer.err.contains("PURSIGHT_TOPIC_PREFIKS") && answer.err.contains("PURSIGHT_TOPIC_PREFIX"),
        "{answer:?}"
    );
    Ok(())
}

#[test]
fn sigterm_drains_the_workers() -> Result<()> {
    let mut system = System::start()?;
    let began = Instant::now();
    system.stop_workers("TERM")?;
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    assert!(!system.log().context("the log")?.contains("panicked"));
    Ok(())
}
