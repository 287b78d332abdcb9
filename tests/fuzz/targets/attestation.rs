//! Attestations: any header, value and record key; claims of any form behind a good signature; any key file. Nothing is
//! believed that the holder of the key did not sign for exactly this record.
#![no_main]

use std::path::Path;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use pursight_attestation::{KeySet, Presented};
use pursight_fuzz::signer::Signer;
use pursight_fuzz::{justified, parts, within};
use pursight_schemas::Micros;
use pursight_schemas::hash::sha256_hex;

static SIGNER: LazyLock<Signer> = LazyLock::new(|| Signer::of(7));
static TRUSTED: LazyLock<KeySet> = LazyLock::new(|| keys(SIGNER.trusted().as_bytes()).expect("a key file"));
/// Whose signature no input can have.
static OTHERS: LazyLock<KeySet> = LazyLock::new(|| keys(Signer::of(8).trusted().as_bytes()).expect("a key file"));

fn keys(bytes: &[u8]) -> Option<KeySet> {
    KeySet::parse(Path::new("fuzz"), bytes).ok()
}

fuzz_target!(|input: &[u8]| {
    let Some((mode, rest)) = input.split_first() else { return };
    let justified = justified(rest.len() * 2);
    match mode % 4 {
        0 => {
            let [token, key, value] = parts::<3>(rest, 8);
            let token = String::from_utf8_lossy(token);
            let verified = within(justified, || {
                OTHERS.verify(&Presented { header: Some(&token), value, record_key: key, at: at() })
            });
            assert!(verified.is_err(), "a forgery passed");
        }
        1 => signed(br#"{"alg":"EdDSA","kid":"k"}"#, rest, justified),
        2 => {
            let [header, rest] = parts::<2>(rest, 1);
            signed(header, rest, justified);
        }
        _ => {
            within(justified, || keys(rest));
        }
    }
});

/// 2026-01-01.
fn at() -> Micros {
    Micros(1_767_225_600_000_000)
}

fn signed(header: &[u8], rest: &[u8], justified: usize) {
    let [claims, key, value] = parts::<3>(rest, 4);
    // The hash of the value is put in where the claims say so: no mutation finds it.
    let claims = String::from_utf8_lossy(claims).replace("HASH", &sha256_hex(value));
    let token = SIGNER.sign(header, claims.as_bytes());
    let presented = Presented { header: Some(&token), value, record_key: key, at: at() };
    let verified = within(justified, || TRUSTED.verify(&presented));
    let unsigned = Presented { header: None, ..presented };
    let together = within(justified * 2, || TRUSTED.verify_all(&[presented, unsigned, presented]));
    assert_eq!((&together[0], &together[2]), (&verified, &verified), "worth something else in a batch");
    let Ok(verified) = verified else { return };
    assert_eq!((verified.tenant.as_bytes(), verified.issuer.as_str(), verified.key_id.as_str()), (key, "fuzz", "k"));
    assert!(["acme", "globex"].contains(&verified.tenant.as_str()), "{}", verified.tenant);
    assert_eq!(verified.payload_sha256, sha256_hex(value));
    assert!(verified.permissions.len() <= 2 && !verified.subject.is_empty());
}
