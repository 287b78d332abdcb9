//! What a role without rights sees, and what its visibility says.

use pursight_connectors::postgres::catalog::{databases, facts, fingerprint, system_identifier, visibility};

use crate::support::{Database, everything};

#[tokio::test]
async fn a_role_without_any_right_reads_the_same_catalog() {
    let database = Database::create("").await;
    let owner = database.owner().await;
    owner.batch_execute(include_str!("zoo.sql")).await.unwrap();
    let role = format!("{}_poor", database.name);
    owner.batch_execute(&format!("CREATE ROLE {role} LOGIN PASSWORD 'poor'")).await.unwrap();
    let (all, print) = {
        let session = database.session().await;
        (everything(&session).await, fingerprint(&session).await.unwrap())
    };
    let poor = database.session_as(Some((&role, "poor"))).await;
    assert_eq!(everything(&poor).await, all);
    assert_eq!(fingerprint(&poor).await.unwrap(), print);

    let one = visibility(&poor).await.unwrap();
    assert_eq!((one.role.as_str(), one.superuser, one.standby), (role.as_str(), false, false));
    assert_eq!(one.closed_schemas, ["Größe & Maß", "zoo"]);
    assert!(one.server_identity.ends_with(&format!("/{}", database.name)));
    owner.batch_execute(&format!("GRANT USAGE ON SCHEMA zoo TO {role}; GRANT pg_monitor TO {role}")).await.unwrap();
    let two = visibility(&poor).await.unwrap();
    assert_eq!(two.closed_schemas, ["Größe & Maß"]);
    assert!(two.memberships.iter().any(|name| name == "pg_monitor") && two.memberships.len() > 1, "{two:?}");
    assert_ne!(one.hash(), two.hash());
    owner.batch_execute("REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC").await.unwrap();
    let blind = visibility(&poor).await.unwrap();
    assert!(blind.server_identity.ends_with(&format!("/{}", database.name)));
    assert_ne!(blind.server_identity, two.server_identity, "the database's oid has to do");
    assert_eq!(system_identifier(&poor).await.unwrap(), None);
    owner.batch_execute("GRANT EXECUTE ON FUNCTION pg_control_system() TO PUBLIC").await.unwrap();
    // A schema that the role may use comes and goes: what it may see has not changed.
    owner.batch_execute("DROP SCHEMA zoo CASCADE").await.unwrap();
    assert_eq!(two.hash(), visibility(&poor).await.unwrap().hash());
    drop(poor);
    owner.batch_execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).await.unwrap();
    database.drop().await;
}

#[tokio::test]
async fn the_server_says_what_it_is() {
    let database = Database::create("").await;
    let session = database.session().await;
    let facts = facts(&session).await.unwrap();
    assert!(facts.version_num >= 120_000 && facts.version.starts_with(&(facts.version_num / 10_000).to_string()));
    assert!(facts.connections.used >= 1 && facts.connections.max >= facts.connections.used, "{facts:?}");
    assert!(!facts.standby && system_identifier(&session).await.unwrap().is_some());
    assert!(databases(&session).await.unwrap().contains(&database.name));
    database.drop().await;
}
