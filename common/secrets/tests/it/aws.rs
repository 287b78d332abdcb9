//! `aws-sm://` against moto, and against a fake where moto cannot misbehave.

use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::config::{Builder, Credentials};
use pursight_schemas::SecretRef;
use pursight_secrets::{AwsOptions, AwsSecretsManager, Resolver, SecretError};

use crate::fake_secrets_manager::FakeSecretsManager;
use crate::python::moto;

const REGION: &str = "eu-central-1";

async fn identity() -> SdkConfig {
    let credentials = Credentials::new("key", "secret", None, None, "tests");
    let config = aws_config::defaults(BehaviorVersion::latest()).credentials_provider(credentials);
    config.region(Region::new(REGION)).load().await
}

async fn resolver(url: &str, timeout: Duration) -> Resolver {
    let options = AwsOptions { endpoint_url: Some(url.to_owned()), timeout };
    Resolver::builder().aws(AwsSecretsManager::with_identity(identity().await, options)).build()
}

async fn patient(url: &str) -> Resolver {
    resolver(url, Duration::from_secs(30)).await
}

async fn emulator(region: &'static str) -> Client {
    let config = Builder::from(&identity().await).endpoint_url(moto()).region(Region::new(region)).build();
    Client::from_conf(config)
}

fn at(rest: &str, version: Option<&str>) -> SecretRef {
    SecretRef { uri: format!("aws-sm://{REGION}/{rest}"), version: version.map(str::to_owned) }
}

async fn text(resolver: &Resolver, reference: &SecretRef) -> Result<String, SecretError> {
    resolver.resolve("acme", reference).await.map(|secret| secret.expose().to_owned())
}

#[tokio::test]
async fn versions_are_found_by_stage_and_by_id() {
    let (client, resolver) = (emulator(REGION).await, patient(moto()).await);
    client.create_secret().name("it/versions").secret_string("one").send().await.unwrap();
    let first = client.get_secret_value().secret_id("it/versions").send().await.unwrap();
    client.put_secret_value().secret_id("it/versions").secret_string("two").send().await.unwrap();
    assert_eq!(text(&resolver, &at("it/versions", None)).await, Ok("two".to_owned()));
    assert_eq!(text(&resolver, &at("it/versions", Some("AWSCURRENT"))).await, Ok("two".to_owned()));
    assert_eq!(text(&resolver, &at("it/versions", Some("AWSPREVIOUS"))).await, Ok("one".to_owned()));
    assert_eq!(text(&resolver, &at("it/versions", first.version_id())).await, Ok("one".to_owned()));
    let missing = text(&resolver, &at("it/versions", Some("NEVER"))).await.unwrap_err();
    assert_eq!(missing.code(), "SECRET_NOT_FOUND");
}

#[tokio::test]
async fn members_of_a_json_secret_are_found_by_their_key() {
    let (client, resolver) = (emulator(REGION).await, patient(moto()).await);
    let json = r#"{"username": "reader", "password": "s3cret", "port": 5432, "tls": true}"#;
    client.create_secret().name("it/json").secret_string(json).send().await.unwrap();
    client.create_secret().name("it/text").secret_string("canary").send().await.unwrap();
    assert_eq!(text(&resolver, &at("it/json#password", None)).await, Ok("s3cret".to_owned()));
    assert_eq!(text(&resolver, &at("it/json#port", None)).await, Ok("5432".to_owned()));
    assert_eq!(text(&resolver, &at("it/json", None)).await, Ok(json.to_owned()));
    for rest in ["it/json#absent", "it/json#tls", "it/text#password"] {
        let error = text(&resolver, &at(rest, None)).await.unwrap_err();
        assert_eq!(error.code(), "SECRET_NOT_FOUND", "{rest}");
        assert!(!format!("{error} {error:?} {}", error.remedy()).contains("canary"));
    }
}

#[tokio::test]
async fn what_is_missing_or_in_another_region_is_not_found() {
    let (client, resolver) = (emulator("us-east-1").await, patient(moto()).await);
    client.create_secret().name("it/elsewhere").secret_string("one").send().await.unwrap();
    for rest in ["it/absent", "it/elsewhere"] {
        let error = text(&resolver, &at(rest, None)).await.unwrap_err();
        assert_eq!((error.code(), error.retryable()), ("SECRET_NOT_FOUND", false));
        assert!(error.to_string().contains(&format!("aws-sm://{REGION}/{rest}")), "{error}");
    }
    let there = SecretRef { uri: "aws-sm://us-east-1/it/elsewhere".to_owned(), version: None };
    assert_eq!(text(&resolver, &there).await, Ok("one".to_owned()));
}

#[tokio::test]
async fn a_value_is_kept_until_it_is_forgotten() {
    let (client, resolver) = (emulator(REGION).await, patient(moto()).await);
    client.create_secret().name("it/kept").secret_string("one").send().await.unwrap();
    assert_eq!(text(&resolver, &at("it/kept", None)).await, Ok("one".to_owned()));
    client.put_secret_value().secret_id("it/kept").secret_string("two").send().await.unwrap();
    assert_eq!(text(&resolver, &at("it/kept", None)).await, Ok("one".to_owned()));
    resolver.forget("acme", &at("it/kept", None)).await;
    assert_eq!(text(&resolver, &at("it/kept", None)).await, Ok("two".to_owned()));
}

#[tokio::test]
async fn one_call_serves_all_who_ask_at_once() {
    let fake = FakeSecretsManager::waiting(200, r#"{"Name": "x", "SecretString": "one"}"#).await;
    let resolver = patient(&fake.url).await;
    let all: Vec<_> = (0..30)
        .map(|_| {
            let resolver = resolver.clone();
            tokio::spawn(async move { text(&resolver, &at("orders", None)).await })
        })
        .collect();
    while fake.calls() == 0 {
        tokio::task::yield_now().await;
    }
    fake.let_go();
    for one in all {
        assert_eq!(one.await.unwrap(), Ok("one".to_owned()));
    }
    assert_eq!(fake.calls(), 1);
}

#[tokio::test]
async fn refusals_are_told_apart_and_say_nothing_of_the_stores_text() {
    for (status, body, cause, retryable) in [
        (400, r#"{"__type": "ThrottlingException", "message": "canary"}"#, "throttled", true),
        (400, r#"{"__type": "AccessDeniedException", "Message": "canary"}"#, "denies", false),
        (400, r#"{"__type": "UnrecognizedClientException", "message": "canary"}"#, "denies", false),
        (400, r#"{"__type": "DecryptionFailure", "message": "canary"}"#, "denies", false),
        (500, r#"{"__type": "InternalServiceError", "message": "canary"}"#, "down", true),
        (503, "canary", "down", true),
        (200, "canary", "down", true),
    ] {
        let fake = FakeSecretsManager::answering(status, body).await;
        let error = text(&patient(&fake.url).await, &at("orders", None)).await.unwrap_err();
        assert_eq!((error.code(), error.retryable()), ("SECRET_STORE_UNAVAILABLE", retryable), "{body}");
        assert!(error.to_string().contains(cause), "{body}: {error}");
        assert!(!format!("{error} {error:?} {}", error.remedy()).contains("canary"));
    }
}

#[tokio::test]
async fn a_store_that_is_slow_or_gone_is_down() {
    let slow = FakeSecretsManager::waiting(200, "{}").await;
    let gone = { FakeSecretsManager::waiting(200, "{}").await.url.clone() };
    for url in [slow.url.clone(), gone] {
        let error = text(&resolver(&url, Duration::from_millis(300)).await, &at("orders", None)).await.unwrap_err();
        assert_eq!((error.code(), error.retryable()), ("SECRET_STORE_UNAVAILABLE", true));
        assert!(error.to_string().contains("down or too slow"), "{error}");
    }
}
