//! A publisher whose key is known, so that a fuzzer gets behind the signature. The key is a constant and signs nothing
//! but fuzzers' inputs.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Signs whatever it is given.
pub struct Signer(Ed25519KeyPair);

impl Signer {
    /// The signer of a number.
    pub fn of(seed: u8) -> Self {
        Self(Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).expect("32 bytes are a seed"))
    }

    /// A key file that trusts it.
    pub fn trusted(&self) -> String {
        let x = URL_SAFE_NO_PAD.encode(self.0.public_key().as_ref());
        format!(
            r#"{{"keys": [{{"kty": "OKP", "crv": "Ed25519", "kid": "k", "x": "{x}", "pursight_issuer": "fuzz",
            "pursight_tenants": ["acme", "globex"], "pursight_permissions": ["scan.view", "scan.create"]}}]}}"#
        )
    }

    /// A compact JWS over any header and any claims.
    pub fn sign(&self, header: &[u8], claims: &[u8]) -> String {
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let signature = URL_SAFE_NO_PAD.encode(self.0.sign(signed.as_bytes()));
        format!("{signed}.{signature}")
    }
}
