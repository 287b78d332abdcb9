//! `pursight keys`: signing keys and their public halves.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use pursight_attestation::{KeyError, NewKey, Permission, create_keys};
use serde_json::json;

use crate::context::Context;
use crate::error::{CliError, chain};
use crate::report::Report;

/// Keys that sign commands.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pursight keys create --issuer gateway --tenant acme --permission scan.view --permission scan.edit --out gateway.pem
  pursight keys create --issuer dev --tenant '*' --permission scan.view --permission scan.create \\
      --permission scan.edit --permission scan.delete --out signing.pem")]
pub struct Keys {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Make a key pair: the private half into --out, the public half into PURSIGHT_TRUSTED_KEYS
    #[command(after_help = "Example:
  PURSIGHT_TRUSTED_KEYS=trusted.json pursight keys create --issuer dev --tenant '*' \\
      --permission scan.view --permission scan.create --out signing.pem")]
    Create(Create),
}

#[derive(Debug, Args)]
struct Create {
    /// Name of who signs with it
    #[arg(long)]
    issuer: String,
    /// Tenant it may speak for; may be given several times, '*' for every one
    #[arg(long = "tenant", required = true, value_name = "TENANT")]
    tenants: Vec<String>,
    /// Most that it may ask for; may be given several times
    #[arg(long = "permission", required = true, value_name = "PERMISSION", value_parser = permission)]
    permissions: Vec<Permission>,
    /// File for the private key (PKCS#8 PEM, mode 0600); never overwritten
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// File of trusted keys (JWKS) to add the public half to [default: PURSIGHT_TRUSTED_KEYS]
    #[arg(long, value_name = "FILE")]
    trusted: Option<PathBuf>,
}

fn permission(text: &str) -> Result<Permission, String> {
    let known: Vec<&str> = Permission::ALL.iter().map(|one| one.as_str()).collect();
    Permission::parse(text).ok_or_else(|| format!("expected one of {}", known.join(", ")))
}

/// Runs it.
pub fn run(command: Keys, context: &Context) -> Result<Report, CliError> {
    let What::Create(create) = command.what;
    let trusted = match create.trusted {
        Some(path) => path,
        None => context.trusted_keys_path()?,
    };
    let new = NewKey { issuer: create.issuer, tenants: create.tenants, permissions: create.permissions };
    let key_id = create_keys(&new, &create.out, &trusted).map_err(explain)?;
    let text = format!(
        "key {key_id}\nprivate half: {} (PURSIGHT_SIGNING_KEY)\npublic half added to {}; running workers read it by themselves",
        create.out.display(),
        trusted.display()
    );
    Ok(Report::new(json!({"key_id": key_id, "signing_key": create.out, "trusted_keys": trusted}), text))
}

/// A key's fault with its remedy.
pub fn explain(error: KeyError) -> CliError {
    let (what, remedy) = (chain(&error), error.remedy());
    match error {
        KeyError::BadRequest(_) => CliError::Usage { what, remedy },
        _ => CliError::Failed { what, remedy },
    }
}
