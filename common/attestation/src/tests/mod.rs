//! Keys in a folder of their own, one honest command, and everything that a forger might make of it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod files;
mod forgeries;
mod hostile;
mod together;

use std::path::PathBuf;

use pursight_schemas::{Actor, Command, CommandMeta, Micros, SetFavorite};
use tempfile::TempDir;
use uuid::Uuid;

use crate::{Claims, NewKey, Permission, Presented, Publisher, SigningKey, TrustedKeys, create_keys};

const AT: Micros = Micros(1_700_000_000_000_000);
const COMMAND: Uuid = Uuid::from_u128(0x018b_cfe5_6800_7000_8000_0000_0000_0001);

struct Keys {
    folder: TempDir,
}

impl Keys {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn trusted(&self) -> TrustedKeys {
        TrustedKeys::load(self.path("trusted.json")).unwrap()
    }

    /// Makes a key that is trusted.
    fn make(&self, issuer: &str, tenants: &[&str], permissions: &[Permission]) -> SigningKey {
        self.make_in("trusted.json", issuer, tenants, permissions)
    }

    fn make_in(&self, file: &str, issuer: &str, tenants: &[&str], permissions: &[Permission]) -> SigningKey {
        let tenants = tenants.iter().map(|tenant| (*tenant).to_owned()).collect();
        let new = NewKey { issuer: issuer.to_owned(), tenants, permissions: permissions.to_vec() };
        let private = self.path(&format!("{issuer}.pem"));
        let id = create_keys(&new, &private, &self.path(file)).unwrap();
        let key = SigningKey::load(private).unwrap();
        assert_eq!(key.key_id(), id);
        key
    }
}

fn meta() -> CommandMeta {
    let actor = Actor { principal: "ada".to_owned(), ..Actor::default() };
    CommandMeta { command_id: COMMAND, tenant_id: "acme".to_owned(), actor, ..CommandMeta::default() }
}

fn value(favorite: bool) -> Vec<u8> {
    let record = SetFavorite { meta: meta(), source_id: Uuid::from_u128(7), favorite };
    Command::from(record).encode().unwrap()
}

fn publisher(issuer: &str) -> Publisher {
    Publisher {
        issuer: issuer.to_owned(),
        tenant: "acme".to_owned(),
        subject: "ada".to_owned(),
        permissions: vec![Permission::ScanView, Permission::ScanDelete],
    }
}

fn claims(issuer: &str) -> Claims {
    Claims::of(publisher(issuer), COMMAND, &value(true), AT).unwrap()
}

fn presented<'r>(header: Option<&'r str>, value: &'r [u8], record_key: &'r [u8], at: Micros) -> Presented<'r> {
    Presented { header, value, record_key, at }
}
