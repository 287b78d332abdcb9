//! One row per way to lie, and what is granted to those who do not.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use pursight_schemas::{CommandMeta, Micros};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{AT, COMMAND, Keys, claims, meta, presented, publisher, value};
use crate::{AttestationError, Claims, Flaw, Permission, SigningKey};

const ALL: &[Permission] = &Permission::ALL;

fn changed(key: &SigningKey, name: &str, to: Value) -> String {
    let mut claims = claims("gate").to_json();
    match to {
        Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
        to => claims[name] = to,
    }
    key.sign_json(&json!({"alg": "EdDSA", "kid": key.key_id()}), &claims)
}

fn headed(key: &SigningKey, header: &Value) -> String {
    key.sign_json(header, &claims("gate").to_json())
}

#[test]
fn an_honest_command_is_verified_and_granted_what_both_sides_allow() {
    let keys = Keys::new();
    let key = keys.make("gate", &["acme", "umbrella"], &[Permission::ScanView, Permission::ScanEdit]);
    let verified =
        keys.trusted().verify(&presented(Some(&key.sign(&claims("gate"))), &value(true), b"acme", AT)).unwrap();
    assert_eq!((verified.tenant.as_str(), verified.subject.as_str()), ("acme", "ada"));
    assert_eq!((verified.issuer.as_str(), verified.key_id.as_str()), ("gate", key.key_id()));
    assert_eq!((verified.command_id, verified.command_type), (COMMAND, "io.pursight.command.SetFavorite"));
    assert_eq!(verified.permissions, BTreeSet::from([Permission::ScanView]));
    assert!(verified.allows(Permission::ScanView) && !verified.allows(Permission::ScanEdit));
    assert_eq!(verified.check(&meta()), Ok(()));
}

#[test]
fn a_key_for_every_tenant_speaks_for_each_but_not_for_the_system() {
    let keys = Keys::new();
    let key = keys.make("gate", &["*"], ALL);
    let trusted = keys.trusted();
    let other =
        Claims { publisher: crate::Publisher { tenant: "umbrella".to_owned(), ..publisher("gate") }, ..claims("gate") };
    assert!(trusted.verify(&presented(Some(&key.sign(&other)), &value(true), b"umbrella", AT)).is_ok());
    let system = changed(&key, "org", json!(""));
    assert_eq!(trusted.verify(&presented(Some(&system), &value(true), b"", AT)).unwrap_err().code(), "WRONG_TENANT");
}

#[test]
fn a_decoded_command_must_be_the_attested_one() {
    let keys = Keys::new();
    let key = keys.make("gate", &["acme"], ALL);
    let verified =
        keys.trusted().verify(&presented(Some(&key.sign(&claims("gate"))), &value(true), b"acme", AT)).unwrap();
    let tenant = CommandMeta { tenant_id: "umbrella".to_owned(), ..meta() };
    assert_eq!(verified.check(&tenant).unwrap_err().code(), "WRONG_TENANT");
    let command = CommandMeta { command_id: Uuid::from_u128(9), ..meta() };
    assert_eq!(verified.check(&command), Err(AttestationError::Invalid(Flaw::OtherCommand)));
    let mut actor = meta();
    actor.actor.principal = "eve".to_owned();
    assert_eq!(verified.check(&actor), Err(AttestationError::Invalid(Flaw::Subject)));
}

#[test]
fn every_forgery_is_refused_for_what_it_is() {
    let keys = Keys::new();
    let key = keys.make("gate", &["acme"], ALL);
    let stranger = keys.make_in("others.json", "stranger", &["*"], ALL);
    let honest = key.sign(&claims("gate"));
    let public = std::fs::read(keys.path("trusted.json")).unwrap();
    let x = serde_json::from_slice::<Value>(&public).unwrap()["keys"][0]["x"].as_str().unwrap().to_owned();
    let raw = URL_SAFE_NO_PAD.decode(&x).unwrap();
    let hmac = |secret: &[u8]| {
        let header = Header { kid: Some(key.key_id().to_owned()), ..Header::new(Algorithm::HS256) };
        jsonwebtoken::encode(&header, &claims("gate").to_json(), &EncodingKey::from_secret(secret)).unwrap()
    };
    let kid = key.key_id();
    let body = honest.split('.').nth(1).unwrap();
    let none = URL_SAFE_NO_PAD.encode(json!({"alg": "none", "kid": kid}).to_string());
    let (signed, _) = honest.rsplit_once('.').unwrap();
    let swapped = changed(&key, "sub", json!("eve")).split('.').nth(1).unwrap().to_owned();
    let header = honest.split('.').next().unwrap();
    let signature = honest.rsplit('.').next().unwrap();
    let now = AT.0 / 1_000_000;

    let invalid = AttestationError::Invalid;
    let wrong = AttestationError::WrongTenant("those that its key may speak for");
    let table: Vec<(&str, String, AttestationError)> = vec![
        ("empty", String::new(), AttestationError::Missing),
        ("no JWS", "canary".to_owned(), invalid(Flaw::Form)),
        ("two parts", format!("{header}.{body}"), invalid(Flaw::Form)),
        ("four parts", format!("{honest}.x"), invalid(Flaw::Form)),
        ("far too long", "a".repeat(9_000), invalid(Flaw::Form)),
        ("no signature", format!("{signed}."), invalid(Flaw::Signature)),
        ("another body under the signature", format!("{header}.{swapped}.{signature}"), invalid(Flaw::Signature)),
        (
            "a stranger's signature under our kid",
            stranger.sign_json(&json!({"alg": "EdDSA", "kid": kid}), &claims("gate").to_json()),
            invalid(Flaw::Signature),
        ),
        ("alg none", format!("{none}.{body}."), invalid(Flaw::Algorithm)),
        ("HMAC with the public key", hmac(&raw), invalid(Flaw::Algorithm)),
        ("HMAC with the public key's text", hmac(x.as_bytes()), invalid(Flaw::Algorithm)),
        (
            "critical extension",
            headed(&key, &json!({"alg": "EdDSA", "kid": kid, "crit": ["b64"], "b64": false})),
            invalid(Flaw::Algorithm),
        ),
        ("unknown kid", stranger.sign(&claims("stranger")), invalid(Flaw::UnknownKey)),
        ("no kid", headed(&key, &json!({"alg": "EdDSA"})), invalid(Flaw::UnknownKey)),
        (
            "kid that is a path",
            headed(&key, &json!({"alg": "EdDSA", "kid": "../trusted.json"})),
            invalid(Flaw::UnknownKey),
        ),
        (
            "key inside the header",
            headed(&stranger, &json!({"alg": "EdDSA", "jwk": {"kty": "OKP", "crv": "Ed25519", "x": x}})),
            invalid(Flaw::UnknownKey),
        ),
        ("another issuer", changed(&key, "iss", json!("bank")), invalid(Flaw::Issuer)),
        ("a tenant that the key may not speak for", changed(&key, "org", json!("umbrella")), wrong),
        ("no subject", changed(&key, "sub", json!("")), invalid(Flaw::Subject)),
        (
            "another type",
            changed(&key, "type", json!("io.pursight.command.DeleteDataSource")),
            invalid(Flaw::OtherType),
        ),
        ("another payload", changed(&key, "sha256", json!("0".repeat(64))), invalid(Flaw::OtherPayload)),
        (
            "upper-case hash",
            changed(&key, "sha256", json!(claims("gate").sha256.to_uppercase())),
            invalid(Flaw::OtherPayload),
        ),
        ("exp as text", changed(&key, "exp", json!((now + 60).to_string())), invalid(Flaw::Claims)),
        ("iat as text", changed(&key, "iat", json!(now.to_string())), invalid(Flaw::Claims)),
        ("exp as a fraction", changed(&key, "exp", json!(1.5)), invalid(Flaw::Claims)),
        ("exp missing", changed(&key, "exp", Value::Null), invalid(Flaw::Claims)),
        ("iat missing", changed(&key, "iat", Value::Null), invalid(Flaw::Claims)),
        ("perms as text", changed(&key, "perms", json!("scan.edit")), invalid(Flaw::Claims)),
        ("cid that is no id", changed(&key, "cid", json!("1")), invalid(Flaw::Claims)),
        ("longer than a day", changed(&key, "exp", json!(now + 86_401)), invalid(Flaw::Lifetime)),
        ("for ever", changed(&key, "exp", json!(i64::MAX)), invalid(Flaw::Lifetime)),
        ("ends when it begins", changed(&key, "exp", json!(now)), invalid(Flaw::Lifetime)),
        ("issued before time itself", changed(&key, "iat", json!(i64::MIN)), invalid(Flaw::Lifetime)),
    ];
    let trusted = keys.trusted();
    for (name, token, expected) in table {
        let refused = trusted.verify(&presented(Some(&token), &value(true), b"acme", AT));
        assert_eq!(refused, Err(expected), "{name}");
        assert!(!expected.to_string().contains("canary"));
    }
    assert_eq!(trusted.verify(&presented(None, &value(true), b"acme", AT)), Err(AttestationError::Missing));
    assert!(trusted.verify(&presented(Some(&honest), &value(true), b"acme", AT)).is_ok());
    let other = invalid(Flaw::OtherPayload);
    assert_eq!(trusted.verify(&presented(Some(&honest), &value(false), b"acme", AT)), Err(other));
    assert_eq!(trusted.verify(&presented(Some(&honest), b"", b"acme", AT)), Err(other));
    let wrong_key = AttestationError::WrongTenant("the record key's");
    assert_eq!(trusted.verify(&presented(Some(&honest), &value(true), b"umbrella", AT)), Err(wrong_key));
    assert_eq!(trusted.verify(&presented(Some(&honest), &value(true), b"\xff", AT)), Err(wrong_key));
}

#[test]
fn only_the_append_time_decides_with_a_minute_of_leeway() {
    let keys = Keys::new();
    let key = keys.make("gate", &["acme"], ALL);
    let trusted = keys.trusted();
    let token = key.sign(&claims("gate"));
    let at = |time: Micros| trusted.verify(&presented(Some(&token), &value(true), b"acme", time)).map(|_| ());
    let (issued, expires) = (AT, AT.plus_seconds(crate::USUAL_SECONDS));
    assert_eq!(at(issued.plus_seconds(-60)), Ok(()));
    assert_eq!(at(issued.plus_seconds(-60).plus_micros(-1)), Err(AttestationError::Invalid(Flaw::Early)));
    assert_eq!(at(expires.plus_seconds(60)), Ok(()));
    assert_eq!(at(expires.plus_seconds(60).plus_micros(1)), Err(AttestationError::Invalid(Flaw::Expired)));
}

#[test]
fn names_of_permissions_that_nobody_knows_grant_nothing() {
    let keys = Keys::new();
    let key = keys.make("gate", &["acme"], ALL);
    let token = changed(&key, "perms", json!(["scan.everything", "SCAN.EDIT", "scan.view"]));
    let verified = keys.trusted().verify(&presented(Some(&token), &value(true), b"acme", AT)).unwrap();
    assert_eq!(verified.permissions, BTreeSet::from([Permission::ScanView]));
}
