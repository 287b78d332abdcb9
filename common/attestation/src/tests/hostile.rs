//! Anything at all in place of an attestation, its record or the key file: refused without a panic, and never believed.

use proptest::prelude::*;

use super::{AT, Keys, claims, presented, value};
use crate::{KeySet, Permission};

/// Base64url without padding has bits that mean nothing at the end of a part, so the last character of each may change
/// without another meaning.
fn is_last_of_a_part(token: &str, at: usize) -> bool {
    token.as_bytes().get(at + 1).is_none_or(|next| *next == b'.')
}

#[test]
fn a_changed_byte_anywhere_makes_it_a_forgery() {
    let keys = Keys::new();
    let token = keys.make("gate", &["acme"], &Permission::ALL).sign(&claims("gate"));
    let (trusted, value) = (keys.trusted(), value(true));
    assert!(trusted.verify(&presented(Some(&token), &value, b"acme", AT)).is_ok());
    for at in 0..token.len() {
        assert!(trusted.verify(&presented(Some(&token[..at]), &value, b"acme", AT)).is_err(), "cut at {at}");
        for other in ["A", "b", "_", ".", "=", "\u{e4}"] {
            if token[at..=at] != *other && !is_last_of_a_part(&token, at) {
                let forged = format!("{}{other}{}", &token[..at], &token[at + 1..]);
                assert!(trusted.verify(&presented(Some(&forged), &value, b"acme", AT)).is_err(), "{other} at {at}");
            }
        }
    }
    for at in 0..value.len() {
        for bit in 0..8 {
            let mut forged = value.clone();
            forged[at] ^= 1 << bit;
            assert!(trusted.verify(&presented(Some(&token), &forged, b"acme", AT)).is_err(), "bit {bit} of byte {at}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_without_a_signature_is_believed(
        token in "\\PC{0,60}|[A-Za-z0-9_-]{0,40}\\.[A-Za-z0-9_-]{0,60}\\.[A-Za-z0-9_-]{0,90}|eyJ[A-Za-z0-9_.-]{0,200}",
        value in prop::collection::vec(any::<u8>(), 0..100),
        key in prop::collection::vec(any::<u8>(), 0..20),
        at in any::<i64>(),
    ) {
        thread_local!(static TRUSTED: crate::TrustedKeys = {
            let keys = Keys::new();
            keys.make("gate", &["*"], &Permission::ALL);
            keys.trusted()
        });
        let verified = TRUSTED.with(|keys| keys.verify(&presented(Some(&token), &value, &key, pursight_schemas::Micros(at))));
        prop_assert!(verified.is_err());
    }

    #[test]
    fn any_bytes_are_a_key_file_or_none(bytes in prop::collection::vec(any::<u8>(), 0..200), text in "\\{\"keys\": ?\\[.{0,80}\\]\\}") {
        for bytes in [&bytes[..], text.as_bytes()] {
            if let Ok(keys) = KeySet::parse("keys".as_ref(), bytes) {
                prop_assert!(keys.is_empty() || bytes.len() > 100, "a key has more than that");
            }
        }
    }
}
