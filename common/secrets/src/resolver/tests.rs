//! The resolver over a scripted store: flights, memory, and that nothing falls back.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use tokio::sync::Semaphore;

use super::*;

/// Answers with its own words, in order, each when it is let.
#[derive(Clone)]
struct Scripted {
    answers: Arc<Mutex<Vec<Result<&'static str, Cause>>>>,
    let_go: Arc<Semaphore>,
    calls: Arc<AtomicUsize>,
}

impl Scripted {
    fn new(mut answers: Vec<Result<&'static str, Cause>>) -> Self {
        answers.reverse();
        Self {
            answers: Arc::new(Mutex::new(answers)),
            let_go: Arc::new(Semaphore::new(1_000)),
            calls: Arc::new(AtomicUsize::new(0)),
        }
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl SecretStore for Scripted {
    async fn fetch(&self, _tenant: &str, reference: &Reference) -> Result<Secret, SecretError> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        self.let_go.acquire().await.unwrap().forget();
        let answer = self.answers.lock().unwrap().pop().unwrap();
        answer.map(|text| Secret::new(text.to_owned())).map_err(|cause| SecretError::unavailable(reference, cause))
    }
}

fn reference(uri: &str) -> SecretRef {
    SecretRef { uri: uri.to_owned(), version: None }
}

async fn text(resolver: &Resolver, tenant: &str, uri: &str) -> Result<String, String> {
    let found = resolver.resolve(tenant, &reference(uri)).await;
    found.map(|secret| secret.expose().to_owned()).map_err(|error| error.to_string())
}

#[tokio::test]
async fn many_who_ask_at_once_share_one_flight_and_later_ones_its_answer() {
    let store = Scripted { let_go: Arc::new(Semaphore::new(0)), ..Scripted::new(vec![Ok("one")]) };
    let resolver = Resolver::builder().environment(store.clone()).build();
    let all: Vec<_> = (0..50)
        .map(|_| {
            let resolver = resolver.clone();
            tokio::spawn(async move { text(&resolver, "acme", "env://A").await })
        })
        .collect();
    while store.calls() == 0 {
        tokio::task::yield_now().await;
    }
    store.let_go.add_permits(50);
    for one in all {
        assert_eq!(one.await.unwrap(), Ok("one".to_owned()));
    }
    assert_eq!(text(&resolver, "acme", "env://A").await, Ok("one".to_owned()));
    assert_eq!(store.calls(), 1);
}

#[tokio::test]
async fn tenants_and_versions_never_share_an_answer() {
    let store = Scripted::new(vec![Ok("one"), Ok("two"), Ok("three")]);
    let resolver = Resolver::builder().aws(store.clone()).build();
    let uri = "aws-sm://eu-central-1/orders";
    assert_eq!(text(&resolver, "acme", uri).await, Ok("one".to_owned()));
    assert_eq!(text(&resolver, "umbrella", uri).await, Ok("two".to_owned()));
    let previous = SecretRef { version: Some("AWSPREVIOUS".to_owned()), ..reference(uri) };
    assert_eq!(resolver.resolve("acme", &previous).await.unwrap().expose(), "three");
    assert_eq!(store.calls(), 3);
}

#[tokio::test]
async fn failures_are_not_kept_and_kept_values_can_be_forgotten() {
    let store = Scripted::new(vec![Err(Cause::Throttled), Ok("one"), Ok("two")]);
    let resolver = Resolver::builder().environment(store.clone()).build();
    let throttled = resolver.resolve("acme", &reference("env://A")).await.map(|_| ()).unwrap_err();
    assert!(throttled.retryable() && throttled.code() == "SECRET_STORE_UNAVAILABLE");
    assert_eq!(text(&resolver, "acme", "env://A").await, Ok("one".to_owned()));
    resolver.forget("acme", &reference("env://A")).await;
    assert_eq!(text(&resolver, "acme", "env://A").await, Ok("two".to_owned()));
}

#[tokio::test]
async fn a_store_that_is_not_there_is_never_replaced_by_another() {
    let store = Scripted::new(vec![]);
    let resolver = Resolver::builder().environment(store.clone()).file(store.clone()).build();
    for uri in ["sealed://acme/a", "aws-sm://eu-central-1/a"] {
        let error = resolver.resolve("acme", &reference(uri)).await.map(|_| ()).unwrap_err();
        assert_eq!((error.code(), error.retryable()), ("SECRET_STORE_UNAVAILABLE", false));
        assert!(error.to_string().contains("not configured"), "{error}");
    }
    assert_eq!(store.calls(), 0);
}

#[tokio::test]
async fn another_tenants_secret_and_a_malformed_reference_are_not_found() {
    let store = Scripted::new(vec![]);
    let resolver = Resolver::builder().sealed(store.clone()).environment(store.clone()).build();
    let foreign = resolver.resolve("acme", &reference("sealed://umbrella/a")).await.map(|_| ()).unwrap_err();
    assert_eq!(foreign.code(), "SECRET_NOT_FOUND");
    let malformed = resolver.resolve("acme", &reference("canary")).await.map(|_| ()).unwrap_err();
    assert_eq!(malformed.code(), "SECRET_NOT_FOUND");
    assert!(!format!("{malformed} {malformed:?} {}", malformed.remedy()).contains("canary"));
    assert_eq!(store.calls(), 0);
}
