//! The keys that seal. They lie beside neither the data nor the log: a file of mode 0600 or stricter, one url-safe
//! base64 key a line; the first seals, all open.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fernet::{Fernet, MultiFernet};
use zeroize::Zeroizing;

/// Keys in the order of their file. Neither printable nor serialisable.
#[derive(Clone)]
pub struct KeyRing(Arc<MultiFernet>);

/// Why there are no keys. Never repeats a line of the file.
#[derive(Debug, thiserror::Error)]
pub enum KeyRingError {
    /// Cannot be read.
    #[error("cannot read the secret keys file {path}")]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Others may read it.
    #[error("the secret keys file {path} has mode {mode:04o}, others may read it")]
    TooOpen {
        /// Which file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A line is no key.
    #[error("line {line} of the secret keys file {path} is not a key of 32 bytes in url-safe base64")]
    BadLine {
        /// Which file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
    },
    /// No line at all.
    #[error("the secret keys file {path} holds no key")]
    Empty {
        /// Which file.
        path: PathBuf,
    },
}

impl KeyRingError {
    /// What to do about it.
    pub fn remedy(&self) -> String {
        match self {
            Self::TooOpen { path, .. } => format!("run: chmod 600 {}", path.display()),
            Self::Unreadable { path, .. } | Self::BadLine { path, .. } | Self::Empty { path } => format!(
                "make {} readable by this user only, with one key a line; a new key: head -c 32 /dev/urandom | base64 | tr '+/' '-_'",
                path.display()
            ),
        }
    }
}

impl KeyRing {
    /// Reads the file of keys. Blank lines are skipped.
    ///
    /// # Errors
    /// When it cannot be read, others may read it, or a line is no key; see [`KeyRingError::remedy`].
    pub fn load(path: impl AsRef<Path>) -> Result<Self, KeyRingError> {
        let path = path.as_ref();
        let unreadable = |source| KeyRingError::Unreadable { path: path.to_owned(), source };
        let mode = fs::metadata(path).map_err(unreadable)?.mode() & 0o7777;
        if mode & 0o077 != 0 {
            return Err(KeyRingError::TooOpen { path: path.to_owned(), mode });
        }
        let text = Zeroizing::new(fs::read_to_string(path).map_err(unreadable)?);
        let mut keys = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if !line.is_empty() {
                let bad = || KeyRingError::BadLine { path: path.to_owned(), line: index + 1 };
                keys.push(Fernet::new(line).ok_or_else(bad)?);
            }
        }
        if keys.is_empty() {
            return Err(KeyRingError::Empty { path: path.to_owned() });
        }
        Ok(Self(Arc::new(MultiFernet::new(keys))))
    }

    /// A Fernet token over `plain`, under the first key.
    pub(crate) fn seal(&self, plain: &[u8]) -> String {
        self.0.encrypt(plain)
    }

    /// What a token of any of the keys holds.
    pub(crate) fn open(&self, token: &str) -> Option<Zeroizing<Vec<u8>>> {
        self.0.decrypt(token).ok().map(Zeroizing::new)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn written(text: &str, mode: u32) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret.keys");
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        (folder, path)
    }

    fn refused(text: &str, mode: u32) -> String {
        let (_folder, path) = written(text, mode);
        let error = KeyRing::load(path).map(|_| ()).unwrap_err();
        assert!(!error.remedy().is_empty());
        error.to_string()
    }

    #[test]
    fn the_first_key_seals_and_all_open() {
        let (old, new) = (Fernet::generate_key(), Fernet::generate_key());
        let (_one, path_of_old) = written(&old, 0o600);
        let (_two, path_of_new) = written(&new, 0o400);
        let (_both, path_of_both) = written(&format!("{new}\n\n  {old}\n"), 0o600);
        let [old, new, both] = [path_of_old, path_of_new, path_of_both].map(|path| KeyRing::load(path).unwrap());
        assert_eq!(both.open(&old.seal(b"x")).as_deref(), Some(&b"x".to_vec()));
        assert_eq!(new.open(&both.seal(b"x")).as_deref(), Some(&b"x".to_vec()));
        assert!(old.open(&both.seal(b"x")).is_none());
    }

    #[test]
    fn a_file_that_others_may_read_or_that_holds_no_keys_is_refused() {
        let key = Fernet::generate_key();
        for mode in [0o640, 0o604, 0o644, 0o622] {
            assert!(refused(&key, mode).contains("others may read it"));
        }
        assert!(refused("\n \n", 0o600).contains("holds no key"));
        let bad = refused(&format!("{key}\ncanary\n"), 0o600);
        assert!(bad.contains("line 2") && !bad.contains("canary"), "{bad}");
        assert!(KeyRing::load("/absent/secret.keys").is_err());
    }
}
