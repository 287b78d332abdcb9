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

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    async fn fetch(store: &impl SecretStore, place: Place) -> Result<String, String> {
        let found = store.fetch("acme", &Reference { place, version: None }).await;
        found
            .map(|secret| secret.expose().to_owned())
            .map_err(|error| format!("{} {error} {}", error.code(), error.remedy()))
    }

    #[tokio::test]
    async fn only_allowed_variables_are_ever_looked_at() {
        let looked = std::cell::RefCell::new(Vec::new());
        let store = EnvironmentStore::new(["ORDERS", "UNSET"], |name| {
            looked.borrow_mut().push(name.to_owned());
            (name == "ORDERS").then(|| "s3cret".to_owned())
        });
        assert_eq!(looked.into_inner(), ["ORDERS", "UNSET"]);
        let named = |name: &str| Place::Environment { name: name.to_owned() };
        assert_eq!(fetch(&store, named("ORDERS")).await, Ok("s3cret".to_owned()));
        let unset = fetch(&store, named("UNSET")).await.unwrap_err();
        assert!(unset.contains("SECRET_NOT_FOUND") && unset.contains("set UNSET"), "{unset}");
        for name in ["PATH", "orders", "ORDERS_2"] {
            let error = fetch(&store, named(name)).await.unwrap_err();
            assert!(error.contains("PURSIGHT_SECRET_ENV_ALLOW"), "{error}");
        }
    }

    #[tokio::test]
    async fn files_are_read_below_the_folder_and_no_link_leads_out() {
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("passwd"), "canary").unwrap();
        let inside = tempfile::tempdir().unwrap();
        let folder = inside.path();
        fs::create_dir_all(folder.join("allowed/deep/..data")).unwrap();
        fs::write(folder.join("allowed/deep/..data/orders"), "s3cret\n").unwrap();
        fs::write(folder.join("allowed/two"), "a\n\n").unwrap();
        fs::write(folder.join("allowed/binary"), [0xff, 0xfe]).unwrap();
        fs::write(folder.join("allowed/large"), vec![b'a'; 300_000]).unwrap();
        fs::write(folder.join("allowed-not"), "canary").unwrap();
        symlink("deep/..data/orders", folder.join("allowed/link-inside")).unwrap();
        symlink(outside.path().join("passwd"), folder.join("allowed/link-outside")).unwrap();
        symlink(outside.path(), folder.join("allowed/folder-outside")).unwrap();
        let store = FileStore::new(folder.join("allowed")).unwrap();
        let at = |name: &str| Place::File { path: folder.join("allowed").join(name) };

        assert_eq!(fetch(&store, at("link-inside")).await, Ok("s3cret".to_owned()));
        assert_eq!(fetch(&store, at("two")).await, Ok("a\n".to_owned()));
        let mut answers = Vec::new();
        for name in [
            "absent",
            "deep",
            "binary",
            "large",
            "link-outside",
            "folder-outside/passwd",
            "../allowed-not",
            "../../allowed-not",
        ] {
            let error = fetch(&store, at(name)).await.unwrap_err();
            assert!(!error.contains("canary"), "{error}");
            answers.push(error.replace(&at(name).path_text(), ""));
        }
        answers.dedup();
        assert_eq!(answers.len(), 1, "what exists elsewhere must look like what does not exist: {answers:?}");
        assert!(FileStore::new(folder.join("absent")).is_err() && FileStore::new(folder.join("allowed-not")).is_err());
    }

    impl Place {
        fn path_text(&self) -> String {
            Reference { place: self.clone(), version: None }.to_string()
        }
    }
}
