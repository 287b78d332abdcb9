//! A source's password on its way into the sealed store: read from stdin, sealed, and from then on only a reference.

use std::io::{self, IsTerminal as _, Read as _};

use clap::Args;
use pursight_secrets::Secret;
use serde_json::{Value as Json, json};

use crate::context::Context;
use crate::error::CliError;
use crate::report::note;

/// Where the password comes from; never from the command line itself.
#[derive(Debug, Clone, Default, Args)]
pub struct PasswordFlags {
    /// Read the password from stdin, seal it, and register the reference
    #[arg(long, conflicts_with = "password_ref")]
    pub password_stdin: bool,
    /// Reference of a password that is kept somewhere already, such as aws-sm://eu-north-1/orders or env://ORDERS_PASSWORD
    #[arg(long, value_name = "REF")]
    pub password_ref: Option<String>,
}

/// A credential for a spec, and what was sealed for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// The `SecretRef`.
    pub reference: Json,
    /// Id of the secret that was made for it, to be taken away again if the command is refused.
    pub made: Option<String>,
}

impl PasswordFlags {
    /// The credential that the flags ask for. `known` is the one that is registered: a new password of a sealed one
    /// becomes its next version.
    ///
    /// # Errors
    /// An empty password, or a store that cannot be used.
    pub async fn credential(
        &self,
        context: &Context,
        known: Option<&Json>,
        dry_run: bool,
    ) -> Result<Option<Credential>, CliError> {
        if let Some(uri) = &self.password_ref {
            return Ok(Some(Credential { reference: json!({"uri": uri}), made: None }));
        }
        if !self.password_stdin {
            return Ok(None);
        }
        let secret = from_stdin()?;
        let tenant = context.tenant()?;
        if dry_run {
            let reference = json!({"uri": format!("sealed://{tenant}/dry-run")});
            return Ok(Some(Credential { reference, made: None }));
        }
        let prefix = format!("sealed://{tenant}/");
        let kept = known.and_then(|known| known["uri"].as_str()?.strip_prefix(&prefix).map(str::to_owned));
        let made = if kept.is_none() { Some(pursight_service::clock::new_id().to_string()) } else { None };
        let id = kept.or_else(|| made.clone()).unwrap_or_default();
        let version = context.seal(&id, &secret).await?;
        let reference = json!({"uri": format!("{prefix}{id}"), "version": version.to_string()});
        Ok(Some(Credential { reference, made }))
    }
}

/// A secret from stdin, without the line's end.
///
/// # Errors
/// Nothing there, or no text.
pub fn from_stdin() -> Result<Secret, CliError> {
    let mut text = String::new();
    if io::stdin().is_terminal() {
        note("reading the secret from stdin; end with Enter and Ctrl-D (what you type is shown)");
    }
    let usage = |what: &str| CliError::usage(what, "write the secret to stdin, for example: … < password-file");
    io::stdin().read_to_string(&mut text).map_err(|_| usage("the secret on stdin is no text"))?;
    let secret = text.strip_suffix('\n').unwrap_or(&text);
    let secret = secret.strip_suffix('\r').unwrap_or(secret);
    if secret.is_empty() { Err(usage("there is no secret on stdin")) } else { Ok(Secret::new(secret.to_owned())) }
}
