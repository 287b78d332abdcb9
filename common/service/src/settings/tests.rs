//! The environment as operators write it, right and wrong.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;

fn read(pairs: &[(&str, &str)]) -> Result<Settings, SettingsError> {
    Settings::from_map(&pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
}

fn faults(pairs: &[(&str, &str)]) -> String {
    read(pairs).map(|_| ()).unwrap_err().to_string()
}

#[test]
fn defaults_are_those_of_the_table() {
    let settings = read(&[("PURSIGHT_KAFKA_BOOTSTRAP", "k:9092"), ("HOSTNAME", "host-1")]).unwrap();
    let kafka = settings.kafka().unwrap();
    assert_eq!((kafka.topic_prefix.as_str(), kafka.instance.as_str()), ("pursight", "host-1"));
    assert_eq!(kafka.session_timeout.as_millis(), 10_000);
    assert_eq!(kafka.security.protocol, SecurityProtocol::Plaintext);
    assert_eq!(settings.http().listen.map(|address| address.to_string()), Some("127.0.0.1:0".to_owned()));
    assert_eq!(settings.logs().format, LogFormat::Json);
    assert!(settings.egress_allow().is_empty());
}

#[test]
fn what_is_absent_is_asked_for_by_name_where_it_is_needed() {
    let settings = read(&[("PURSIGHT_TENANT", "acme"), ("PURSIGHT_DATABASE_URL", "")]).unwrap();
    assert!(settings.kafka().unwrap_err().to_string().starts_with("PURSIGHT_KAFKA_BOOTSTRAP is not set: "));
    assert!(settings.database().unwrap_err().to_string().starts_with("PURSIGHT_DATABASE_URL is not set: "));
    let publisher = settings.publisher().unwrap_err().to_string();
    for name in ["PURSIGHT_PRINCIPAL", "PURSIGHT_ISSUER", "PURSIGHT_SIGNING_KEY"] {
        assert!(publisher.contains(name), "{publisher}");
    }
    assert!(!publisher.contains("PURSIGHT_TENANT"));
}

#[test]
fn an_unknown_name_is_refused_with_the_nearest_one() {
    let text = faults(&[("PURSIGHT_KAFKA_BOOTSTRAPS", "k:9092"), ("PURSIGHT_TEST_KAFKA", "k:9092")]);
    assert_eq!(text, "PURSIGHT_KAFKA_BOOTSTRAPS is not a setting, did you mean PURSIGHT_KAFKA_BOOTSTRAP?");
    assert_eq!(faults(&[("PURSIGHT_X", "1")]), "PURSIGHT_X is not a setting");
}

#[test]
fn everything_wrong_is_said_at_once_and_no_value_is_repeated() {
    let text = faults(&[
        ("PURSIGHT_SESSION_TIMEOUT_MS", "soon-canary"),
        ("PURSIGHT_DATABASE_URL", "mysql://u:canary@h/d"),
        ("PURSIGHT_KAFKA_SECURITY_PROTOCOL", "SASL_SSL"),
        ("PURSIGHT_LOG_FORMAT", "canary"),
        ("PURSIGHT_HTTP_LISTEN", "canary"),
        ("PURSIGHT_AWS_ENDPOINT_URL", "canary"),
        ("PURSIGHT_TOPIC_PREFIX", "canary canary"),
    ]);
    for name in [
        "PURSIGHT_SESSION_TIMEOUT_MS: expected a whole number from 1000 to 300000",
        "PURSIGHT_DATABASE_URL: expected postgres://",
        "PURSIGHT_KAFKA_SASL_USERNAME",
        "PURSIGHT_KAFKA_SASL_PASSWORD",
        "PURSIGHT_LOG_FORMAT: expected one of json, text",
        "PURSIGHT_HTTP_LISTEN",
        "PURSIGHT_AWS_ENDPOINT_URL",
        "PURSIGHT_TOPIC_PREFIX",
    ] {
        assert!(text.contains(name), "{name} in {text}");
    }
    assert!(!text.contains("canary"), "{text}");
}

#[test]
fn a_worker_refuses_a_password_that_drivers_would_pick_up() {
    let settings = read(&[("PGPASSWORD", "canary"), ("PGHOST", "ignored")]).unwrap();
    let text = settings.check_worker().unwrap_err().to_string();
    assert!(text.contains("PGPASSWORD") && !text.contains("canary"), "{text}");
    assert!(read(&[("PGPASSWORD", "")]).unwrap().check_worker().is_ok());
}

#[test]
fn no_output_of_the_settings_holds_a_secret() {
    let settings = read(&[
        ("PURSIGHT_DATABASE_URL", "postgres://reader:canary@db:5432/pursight"),
        ("PURSIGHT_KAFKA_BOOTSTRAP", "k:9092"),
        ("PURSIGHT_KAFKA_SECURITY_PROTOCOL", "sasl_ssl"),
        ("PURSIGHT_KAFKA_SASL_USERNAME", "worker"),
        ("PURSIGHT_KAFKA_SASL_PASSWORD", "canary"),
        ("PURSIGHT_AWS_ENDPOINT_URL", "https://id:canary@proxy.example/"),
        ("PURSIGHT_SECRET_ENV_ALLOW", "ORDERS, UNSET"),
        ("ORDERS", "canary"),
    ])
    .unwrap();
    let printed = format!("{settings:?}");
    assert!(!printed.contains("canary"), "{printed}");
    assert!(printed.contains("db:5432/pursight"), "{printed}");
    let secrets = &settings.secrets().environment;
    assert_eq!(secrets["ORDERS"].as_ref().map(Hidden::expose), Some("canary"));
    assert_eq!(secrets["UNSET"], None);
    assert_eq!(settings.database().unwrap().url.expose(), "postgres://reader:canary@db:5432/pursight");
}

#[test]
fn every_setting_says_what_it_is_and_when_to_change_it() {
    let mut names: Vec<_> = SETTINGS.iter().map(|setting| setting.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), SETTINGS.len());
    for setting in SETTINGS {
        assert!(!setting.meaning.is_empty() && !setting.change_when.is_empty(), "{}", setting.name);
    }
}
