//! Secrets of the worker's own machine: variables by an exact list, files below one folder. Both lists are the
//! operator's; a tenant's reference can only choose within them.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use tokio::io::AsyncReadExt;

use crate::error::{Cause, SecretError};
use crate::reference::{Place, Reference};
use crate::secret::Secret;
use crate::store::SecretStore;

/// Longest file that is taken for a secret.
const LONGEST_FILE: u64 = 256 * 1024;

/// `env://NAME` for names of a fixed list.
pub struct EnvironmentStore {
    allowed: HashMap<String, Option<Secret>>,
}

impl EnvironmentStore {
    /// Takes the values of the allowed names out of the environment, once. What is not allowed is never looked at.
    pub fn new<'a>(allowed: impl IntoIterator<Item = &'a str>, value_of: impl Fn(&str) -> Option<String>) -> Self {
        let take = |name: &str| (name.to_owned(), value_of(name).map(Secret::new));
        Self { allowed: allowed.into_iter().map(take).collect() }
    }
}

#[async_trait]
impl SecretStore for EnvironmentStore {
    async fn fetch(&self, _tenant: &str, reference: &Reference) -> Result<Secret, SecretError> {
        let Place::Environment { name } = &reference.place else {
            return Err(SecretError::unavailable(reference, Cause::NotConfigured));
        };
        let Some(value) = self.allowed.get(name) else {
            let remedy = format!("add {name} to PURSIGHT_SECRET_ENV_ALLOW of the workers, or refer to another secret");
            return Err(SecretError::not_found(reference, "the variable is not allowed as a secret", remedy));
        };
        let unset =
            || SecretError::not_found(reference, "the variable is not set", format!("set {name} for the workers"));
        value.clone().ok_or_else(unset)
    }
}

/// `file://PATH` below one folder.
pub struct FileStore {
    folder: PathBuf,
}

impl FileStore {
    /// Allows regular files below `folder`, whatever links lead there; no link leads out.
    ///
    /// # Errors
    /// When the folder does not exist.
    pub fn new(folder: impl AsRef<Path>) -> io::Result<Self> {
        let folder = folder.as_ref().canonicalize()?;
        if folder.is_dir() { Ok(Self { folder }) } else { Err(io::ErrorKind::NotADirectory.into()) }
    }

    async fn read(&self, path: &Path) -> io::Result<String> {
        // The canonical path is opened, so that a link changed in between leads to the old place or to nothing. Looked at
        // before it is opened, because opening a pipe waits for its writer.
        let real = tokio::fs::canonicalize(path).await?;
        if !real.starts_with(&self.folder) || !tokio::fs::metadata(&real).await?.is_file() {
            return Err(io::ErrorKind::NotFound.into());
        }
        let file = tokio::fs::File::open(&real).await?;
        let mut text = String::new();
        file.take(LONGEST_FILE + 1).read_to_string(&mut text).await?;
        if text.len() as u64 > LONGEST_FILE { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(text) }
    }
}

#[async_trait]
impl SecretStore for FileStore {
    async fn fetch(&self, _tenant: &str, reference: &Reference) -> Result<Secret, SecretError> {
        let Place::File { path } = &reference.place else {
            return Err(SecretError::unavailable(reference, Cause::NotConfigured));
        };
        // One answer whether it is absent, elsewhere or unreadable: a tenant must not explore our file system.
        let mut text = self.read(path).await.map_err(|_| {
            let remedy = "put it as a readable file of text below PURSIGHT_SECRET_FILE_DIR of the workers";
            SecretError::not_found(reference, "there is no such file that may be read", remedy)
        })?;
        if text.ends_with('\n') {
            text.pop();
        }
        Ok(Secret::new(text))
    }
}
