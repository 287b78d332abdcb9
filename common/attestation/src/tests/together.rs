//! Many attestations verified together are worth what each is worth alone, also those made to be worth something else.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use curve25519_dalek::constants::{ED25519_BASEPOINT_TABLE, EIGHT_TORSION};
use curve25519_dalek::{EdwardsPoint, Scalar};
use proptest::prelude::*;
use serde_json::{Value, json};
use sha2::{Digest, Sha512};

use super::{AT, Keys, claims, value};
use crate::{AttestationError, Flaw, KeySet, Permission, Presented, Verified};

type Results = Vec<Result<Verified, AttestationError>>;

/// All in batches of this size, and then each alone.
fn both_ways(trusted: &KeySet, tokens: &[String], size: usize) -> (Results, Results) {
    let value = value(true);
    let presented = |token| Presented { header: Some(token), value: &value, record_key: b"acme", at: AT };
    let records: Vec<_> = tokens.iter().map(String::as_str).map(presented).collect();
    let together = records.chunks(size).flat_map(|part| trusted.verify_all(part)).collect();
    let alone = records.iter().map(|record| trusted.verify(record)).collect();
    (together, alone)
}

/// A key whose secret is a number that is known, which no library hands out.
struct Forger {
    secret: Scalar,
    public: EdwardsPoint,
}

impl Forger {
    fn new() -> Self {
        let secret = Scalar::from(0x0123_4567_89ab_cdef_u64);
        Self { secret, public: ED25519_BASEPOINT_TABLE * &secret }
    }

    fn trusted(&self) -> Value {
        json!({"kty": "OKP", "crv": "Ed25519", "kid": "forger", "x": URL_SAFE_NO_PAD.encode(self.public.compress().as_bytes()),
               "pursight_issuer": "gate", "pursight_tenants": ["acme"], "pursight_permissions": [Permission::ScanView.as_str()]})
    }

    /// A signature whose R is off by a point of small order: RFC 8032 has one equation that it fulfils and one that it does not.
    fn sign(&self, nonce: u64, off: usize) -> String {
        let parts = [json!({"alg": "EdDSA", "kid": "forger"}), claims("gate").to_json()];
        let signed = parts.map(|part| URL_SAFE_NO_PAD.encode(part.to_string())).join(".");
        let nonce = Scalar::from(nonce);
        let point = (ED25519_BASEPOINT_TABLE * &nonce + EIGHT_TORSION[off]).compress();
        let digest = Sha512::new().chain_update(point.as_bytes()).chain_update(self.public.compress().as_bytes());
        let digest = digest.chain_update(&signed).finalize();
        let challenge = Scalar::from_bytes_mod_order_wide(&digest.into());
        let signature = [point.to_bytes(), (nonce + challenge * self.secret).to_bytes()].concat();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

#[test]
fn a_signature_off_by_a_point_of_small_order_is_worth_the_same_in_every_batch() {
    let forger = Forger::new();
    let keys = json!({"keys": [forger.trusted()]}).to_string();
    let trusted = KeySet::parse("keys".as_ref(), keys.as_bytes()).unwrap();
    let tokens: Vec<String> = (0..40_u64).map(|at| forger.sign(at + 1, usize::try_from(at % 8).unwrap())).collect();
    for size in [1, 2, 7, 40] {
        let (together, alone) = both_ways(&trusted, &tokens, size);
        assert!(alone.iter().all(Result::is_ok), "all fulfil the equation with the cofactor");
        assert_eq!(together, alone, "in batches of {size}");
    }
}

#[test]
fn a_key_that_anybody_can_sign_for_is_no_trusted_key() {
    for point in EIGHT_TORSION {
        let mut key = Forger::new().trusted();
        key["x"] = json!(URL_SAFE_NO_PAD.encode(point.compress().as_bytes()));
        let refused = KeySet::parse("keys".as_ref(), json!({"keys": [key]}).to_string().as_bytes());
        assert!(refused.is_err_and(|error| error.to_string().contains("weak key")));
    }
}

#[test]
fn one_forgery_among_many_is_the_only_one_refused() {
    let keys = Keys::new();
    let key = keys.make("gate", &["acme"], &Permission::ALL);
    let mut tokens = vec![key.sign(&claims("gate")); 50];
    let other = keys.make_in("others.json", "gate2", &["acme"], &Permission::ALL);
    let stolen = other.sign_json(&json!({"alg": "EdDSA", "kid": key.key_id()}), &claims("gate").to_json());
    tokens[17] = stolen;
    let path = keys.path("trusted.json");
    let trusted = KeySet::parse(&path, &std::fs::read(&path).unwrap()).unwrap();
    let (together, _) = both_ways(&trusted, &tokens, 50);
    let refused: Vec<_> = together.iter().enumerate().filter(|(_, one)| one.is_err()).collect();
    assert_eq!(refused, [(17, &Err(AttestationError::Invalid(Flaw::Signature)))]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_mixture_is_judged_one_by_one(
        kinds in prop::collection::vec((0..10_u8, any::<prop::sample::Index>(), 0..8_u8), 0..40),
        size in 1..41_usize,
    ) {
        thread_local!(static RIG: (Keys, Vec<String>, KeySet) = {
            let keys = Keys::new();
            let gate = keys.make("gate", &["acme"], &Permission::ALL);
            let next = keys.make("next", &["acme"], &Permission::ALL);
            let path = keys.path("trusted.json");
            let trusted = KeySet::parse(&path, &std::fs::read(&path).unwrap()).unwrap();
            let tokens = vec![gate.sign(&claims("gate")), next.sign(&claims("next")), next.sign(&claims("gate"))];
            (keys, tokens, trusted)
        });
        RIG.with(|(_, sound, trusted)| {
            let token = |(kind, at, bit): &(u8, prop::sample::Index, u8)| match kind {
                0 => String::new(),
                1 | 2 => {
                    let mut bytes = sound[0].clone().into_bytes();
                    let at = at.index(bytes.len());
                    bytes[at] ^= 1 << (bit % 7);
                    String::from_utf8_lossy(&bytes).into_owned()
                }
                3 => sound[2].clone(),
                kind => sound[usize::from(kind % 2)].clone(),
            };
            let tokens: Vec<String> = kinds.iter().map(token).collect();
            let (together, alone) = both_ways(trusted, &tokens, size);
            prop_assert_eq!(together, alone);
            Ok(())
        })?;
    }
}
