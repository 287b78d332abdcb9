//! The sealed store: versions, tenants, tokens moved between rows, rotated keys.

use pursight_schemas::SecretRef;
use pursight_secrets::{Resolver, SealedStore, Secret};
use sqlx::PgPool;

use crate::world::{Database, Keys, new_key};

async fn text(store: &SealedStore, tenant: &str, id: &str, version: Option<i32>) -> Result<String, String> {
    let found = store.get(tenant, id, version).await;
    found.map(|secret| secret.expose().to_owned()).map_err(|error| error.code().to_owned())
}

async fn tokens(pool: &PgPool) -> Vec<(String, String, i32, String)> {
    let all = "SELECT tenant_id, secret_id, version, token FROM pursight_secret.secret ORDER BY 1, 2, 3";
    sqlx::query_as(all).fetch_all(pool).await.unwrap()
}

fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned())
}

#[tokio::test]
async fn values_have_versions_and_the_newest_is_the_usual_one() {
    let (database, keys) = (Database::new().await, Keys::new());
    assert!(!SealedStore::is_migrated(&database.pool).await.unwrap());
    let (one, two) = tokio::join!(SealedStore::migrate(&database.pool), SealedStore::migrate(&database.pool));
    assert!(one.is_ok() && two.is_ok() && SealedStore::is_migrated(&database.pool).await.unwrap());
    let store = SealedStore::new(database.pool.clone(), keys.ring(&[&new_key()]));

    assert_eq!(store.put("acme", "orders", &secret("one")).await, Ok(1));
    assert_eq!(store.put("acme", "orders", &secret("two")).await, Ok(2));
    assert_eq!(store.put("umbrella", "orders", &secret("other")).await, Ok(1));
    assert_eq!(text(&store, "acme", "orders", None).await, Ok("two".to_owned()));
    assert_eq!(text(&store, "acme", "orders", Some(1)).await, Ok("one".to_owned()));
    for (tenant, id, version) in
        [("acme", "orders", Some(3)), ("acme", "absent", None), ("umbrella", "orders", Some(2))]
    {
        assert_eq!(text(&store, tenant, id, version).await, Err("SECRET_NOT_FOUND".to_owned()));
    }
    for (tenant, id) in [("acme", "a/b"), ("acme", ""), ("Acme", "a")] {
        assert_eq!(store.put(tenant, id, &secret("canary")).await.unwrap_err().code(), "SECRET_NOT_FOUND");
    }
    let names = |entries: Vec<pursight_secrets::Entry>| -> Vec<_> {
        entries.into_iter().map(|entry| (entry.tenant, entry.id, entry.version)).collect()
    };
    assert_eq!(names(store.list(Some("umbrella")).await.unwrap()), [("umbrella".to_owned(), "orders".to_owned(), 1)]);
    assert_eq!(store.list(None).await.unwrap().len(), 3);
    assert_eq!(store.destroy("acme", "orders").await.unwrap(), 2);
    assert_eq!(text(&store, "acme", "orders", None).await, Err("SECRET_NOT_FOUND".to_owned()));
    assert_eq!(text(&store, "umbrella", "orders", None).await, Ok("other".to_owned()));
    database.remove().await;
}

#[tokio::test]
async fn writers_of_one_secret_at_once_get_versions_of_their_own() {
    let (database, keys) = (Database::new().await, Keys::new());
    SealedStore::migrate(&database.pool).await.unwrap();
    let store = SealedStore::new(database.pool.clone(), keys.ring(&[&new_key()]));
    let writers: Vec<_> = (0..20)
        .map(|number| {
            let store = store.clone();
            tokio::spawn(async move { store.put("acme", "orders", &secret(&number.to_string())).await.unwrap() })
        })
        .collect();
    let mut versions = Vec::new();
    for writer in writers {
        versions.push(writer.await.unwrap());
    }
    versions.sort_unstable();
    assert_eq!(versions, (1..=20).collect::<Vec<_>>());
    database.remove().await;
}

#[tokio::test]
async fn a_token_moved_to_another_row_does_not_open_there() {
    let (database, keys) = (Database::new().await, Keys::new());
    SealedStore::migrate(&database.pool).await.unwrap();
    let store = SealedStore::new(database.pool.clone(), keys.ring(&[&new_key()]));
    store.put("acme", "orders", &secret("canary")).await.unwrap();
    let token = tokens(&database.pool).await.remove(0).3;
    assert!(!token.contains("canary"));
    for (tenant, id, version) in [("umbrella", "orders", 1), ("acme", "other", 1), ("acme", "orders", 2)] {
        let insert =
            "INSERT INTO pursight_secret.secret (tenant_id, secret_id, version, token) VALUES ($1, $2, $3, $4)";
        sqlx::query(insert).bind(tenant).bind(id).bind(version).bind(&token).execute(&database.pool).await.unwrap();
        let error = store.get(tenant, id, Some(version)).await.map(|_| ()).unwrap_err();
        assert_eq!((error.code(), error.retryable()), ("SECRET_STORE_UNAVAILABLE", false));
        assert!(!format!("{error} {error:?}").contains("canary"));
    }
    assert_eq!(text(&store, "acme", "orders", Some(1)).await, Ok("canary".to_owned()));
    database.remove().await;
}

#[tokio::test]
async fn rotation_brings_everything_under_the_first_key_and_names_what_no_key_opens() {
    let (database, keys) = (Database::new().await, Keys::new());
    SealedStore::migrate(&database.pool).await.unwrap();
    let (lost, old, new) = (new_key(), new_key(), new_key());
    let with = |ring: &[&str]| SealedStore::new(database.pool.clone(), keys.ring(ring));
    with(&[&lost]).put("acme", "lost", &secret("gone")).await.unwrap();
    for number in 0..450 {
        with(&[&old]).put("acme", &format!("s{number}"), &secret("kept")).await.unwrap();
    }
    assert_eq!(text(&with(&[&new]), "acme", "s7", None).await, Err("SECRET_STORE_UNAVAILABLE".to_owned()));
    let both = with(&[&new, &old]);
    assert_eq!(text(&both, "acme", "s7", None).await, Ok("kept".to_owned()));
    let done = both.rotate().await.unwrap();
    assert_eq!(done.sealed, 450);
    let unopened: Vec<_> = done.unopened.iter().map(|entry| entry.id.as_str()).collect();
    assert_eq!(unopened, ["lost"]);
    for number in [0, 199, 200, 449] {
        assert_eq!(text(&with(&[&new]), "acme", &format!("s{number}"), None).await, Ok("kept".to_owned()));
    }
    assert_eq!(text(&with(&[&lost]), "acme", "lost", None).await, Ok("gone".to_owned()));
    database.remove().await;
}

#[tokio::test]
async fn references_reach_the_own_tenants_secrets_and_a_database_that_is_away_is_unavailable() {
    let (database, keys) = (Database::new().await, Keys::new());
    SealedStore::migrate(&database.pool).await.unwrap();
    let store = SealedStore::new(database.pool.clone(), keys.ring(&[&new_key()]));
    store.put("acme", "orders", &secret("one")).await.unwrap();
    store.put("acme", "orders", &secret("two")).await.unwrap();
    let resolver = Resolver::builder().sealed(store).build();
    let reference = |version: Option<&str>| SecretRef {
        uri: "sealed://acme/orders".to_owned(),
        version: version.map(str::to_owned),
    };
    assert_eq!(resolver.resolve("acme", &reference(None)).await.unwrap().expose(), "two");
    assert_eq!(resolver.resolve("acme", &reference(Some("1"))).await.unwrap().expose(), "one");
    let foreign = resolver.resolve("umbrella", &reference(None)).await.map(|_| ()).unwrap_err();
    assert_eq!(foreign.code(), "SECRET_NOT_FOUND");
    database.pool.close().await;
    let away = resolver.resolve("acme", &reference(Some("2"))).await.map(|_| ()).unwrap_err();
    assert_eq!((away.code(), away.retryable()), ("SECRET_STORE_UNAVAILABLE", true));
    database.remove().await;
}
