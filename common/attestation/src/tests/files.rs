//! Key files: who may read them, how they grow, what happens when they change.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use super::{AT, Keys, claims, presented, value};
use crate::{AttestationError, Flaw, KeyError, NewKey, Permission, SigningKey, TrustedKeys, create_keys};

const ALL: &[Permission] = &Permission::ALL;

fn refused(path: std::path::PathBuf) -> KeyError {
    SigningKey::load(path).map(|_| ()).unwrap_err()
}

#[test]
fn a_private_key_that_others_may_read_is_refused_with_the_remedy() {
    let keys = Keys::new();
    keys.make("gate", &["acme"], ALL);
    let path = keys.path("gate.pem");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
    for mode in [0o640, 0o604, 0o644, 0o620] {
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        let error = refused(path.clone());
        assert!(matches!(error, KeyError::TooOpen { .. }), "{mode:o}");
        assert_eq!(error.remedy(), format!("run: chmod 600 {}", path.display()));
    }
    fs::set_permissions(&path, Permissions::from_mode(0o400)).unwrap();
    assert!(SigningKey::load(path).is_ok());
}

#[test]
fn what_is_no_key_is_told_from_what_is_not_there() {
    let keys = Keys::new();
    assert!(matches!(refused(keys.path("absent.pem")), KeyError::Unreadable { .. }));
    for text in ["", "canary", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"] {
        let path = keys.path("bad.pem");
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        let error = refused(path);
        assert!(matches!(error, KeyError::NotAKey { .. }));
        assert!(!error.to_string().contains("canary") && !error.remedy().is_empty());
    }
}

#[test]
fn a_second_key_is_added_and_foreign_members_stay() {
    let keys = Keys::new();
    keys.make("gate", &["acme"], ALL);
    let path = keys.path("trusted.json");
    let mut document: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    document["keys"][0]["note"] = json!("kept");
    document["owner"] = json!("operations");
    fs::write(&path, document.to_string()).unwrap();
    keys.make("cli", &["*"], &[Permission::ScanView]);
    let document: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    assert_eq!((&document["keys"][0]["note"], &document["owner"]), (&json!("kept"), &json!("operations")));
    let key = &document["keys"][1];
    assert_eq!((&key["kty"], &key["crv"]), (&json!("OKP"), &json!("Ed25519")));
    assert_eq!(key["pursight_issuer"], "cli");
    assert_eq!(key["pursight_tenants"], json!(["*"]));
    assert_eq!(key["pursight_permissions"], json!(["scan.view"]));
}

#[test]
fn nothing_is_written_where_something_is_wrong() {
    let keys = Keys::new();
    keys.make("gate", &["acme"], ALL);
    let new = |issuer: &str, tenant: &str| NewKey {
        issuer: issuer.to_owned(),
        tenants: vec![tenant.to_owned()],
        permissions: ALL.to_vec(),
    };
    let (private, trusted) = (keys.path("new.pem"), keys.path("trusted.json"));
    let before = fs::read(&trusted).unwrap();
    let existing = create_keys(&new("gate", "acme"), &keys.path("gate.pem"), &trusted).unwrap_err();
    assert!(matches!(existing, KeyError::Exists { .. }));
    for bad in [new("", "acme"), new("gate", "Acme"), NewKey { permissions: Vec::new(), ..new("gate", "acme") }] {
        assert!(matches!(create_keys(&bad, &private, &trusted).unwrap_err(), KeyError::BadRequest(_)));
    }
    assert_eq!(fs::read(&trusted).unwrap(), before);
    fs::write(&trusted, "{").unwrap();
    assert!(matches!(create_keys(&new("gate", "acme"), &private, &trusted).unwrap_err(), KeyError::BadKeySet { .. }));
    assert!(!private.exists());
}

#[test]
fn a_key_file_half_understood_is_refused_by_the_key() {
    let keys = Keys::new();
    keys.make("gate", &["acme"], ALL);
    let path = keys.path("trusted.json");
    let sound: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    for (member, to, expected) in [
        ("kty", json!("RSA"), "only Ed25519"),
        ("crv", json!("Ed448"), "only Ed25519"),
        ("x", json!("AAAA"), "32 bytes"),
        ("pursight_issuer", json!(""), "pursight_issuer"),
        ("pursight_tenants", json!(null), "pursight_tenants"),
        ("pursight_permissions", json!(null), "pursight_permissions"),
        ("pursight_permissions", json!(["scan.veiw"]), "scan.veiw"),
    ] {
        let mut document = sound.clone();
        document["keys"][0][member] = to;
        fs::write(&path, document.to_string()).unwrap();
        let error = TrustedKeys::load(&path).map(|_| ()).unwrap_err();
        assert!(error.to_string().contains(expected), "{member}: {error}");
    }
    let twice = json!({"keys": [sound["keys"][0], sound["keys"][0]]});
    fs::write(&path, twice.to_string()).unwrap();
    assert!(TrustedKeys::load(&path).map(|_| ()).unwrap_err().to_string().contains("twice"));
}

#[test]
fn a_changed_file_is_read_again_and_a_broken_one_changes_nothing_but_is_reported() {
    let keys = Keys::new();
    let gate = keys.make("gate", &["acme"], ALL);
    let trusted = keys.trusted();
    let verify = |key: &SigningKey, issuer: &str| {
        trusted.refresh();
        trusted.verify(&presented(Some(&key.sign(&claims(issuer))), &value(true), b"acme", AT)).map(|_| ())
    };
    let path = keys.path("trusted.json");
    let before = fs::read(&path).unwrap();

    let cli = keys.make("cli", &["acme"], ALL);
    assert_eq!(verify(&cli, "cli"), Ok(()));
    assert_eq!(verify(&gate, "gate"), Ok(()));

    fs::write(&path, "{ not JSON").unwrap();
    assert_eq!(verify(&cli, "cli"), Ok(()));
    let problem = trusted.problem().unwrap();
    assert!(problem.contains("trusted.json") && problem.contains("stay in use"), "{problem}");

    fs::remove_file(&path).unwrap();
    assert_eq!(verify(&cli, "cli"), Ok(()));
    assert!(trusted.problem().unwrap().contains("cannot read"));

    fs::write(&path, before).unwrap();
    assert_eq!(verify(&cli, "cli"), Err(AttestationError::Invalid(Flaw::UnknownKey)));
    assert_eq!(verify(&gate, "gate"), Ok(()));
    assert_eq!(trusted.problem(), None);
}
