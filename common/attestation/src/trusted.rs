//! The file of trusted keys, read again when it changes. A broken new file changes nothing but is reported: a typing
//! error of an operator must neither stop commands nor let anybody in.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::error::{AttestationError, KeyError};
use crate::key_set::KeySet;
use crate::verify::{Presented, Verified};

const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Trusted keys that follow their file.
pub struct TrustedKeys {
    path: PathBuf,
    state: Mutex<State>,
}

struct State {
    keys: Arc<KeySet>,
    stamp: Option<Stamp>,
    looked: Instant,
    problem: Option<String>,
}

/// What tells one version of a file from the next: modification time, length and, for files replaced within one tick of
/// the clock, the inode.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    seconds: i64,
    nanoseconds: i64,
    length: u64,
    inode: u64,
}

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        let file = fs::metadata(path).ok()?;
        Some(Self { seconds: file.mtime(), nanoseconds: file.mtime_nsec(), length: file.len(), inode: file.ino() })
    }
}

impl TrustedKeys {
    /// Reads a JWKS file as contract section 8 describes it.
    ///
    /// # Errors
    /// When it cannot be read or understood; see [`KeyError::remedy`].
    pub fn load(path: impl Into<PathBuf>) -> Result<Self, KeyError> {
        let path = path.into();
        // The stamp is taken first: a change between the two reads is then seen as a change later.
        let stamp = Stamp::of(&path);
        let keys = Arc::new(read(&path)?);
        Ok(Self { path, state: Mutex::new(State { keys, stamp, looked: Instant::now(), problem: None }) })
    }

    /// Verifies a command's attestation, see [`Verified`]. The caller still has to hold the decoded command
    /// against [`Verified::check`].
    ///
    /// # Errors
    /// Why the record is a dead letter.
    pub fn verify(&self, record: &Presented<'_>) -> Result<Verified, AttestationError> {
        self.current().verify(record)
    }

    /// Verifies many, each as [`TrustedKeys::verify`] would, in less time and all with the same keys.
    pub fn verify_all(&self, records: &[Presented<'_>]) -> Vec<Result<Verified, AttestationError>> {
        self.current().verify_all(records)
    }

    /// Why the newest version of the file is not in use, if it is not.
    pub fn problem(&self) -> Option<String> {
        self.current();
        self.locked().problem.clone()
    }

    /// Looks at the file now, without waiting for the next second.
    pub fn refresh(&self) {
        self.look(&mut self.locked());
    }

    fn current(&self) -> Arc<KeySet> {
        let mut state = self.locked();
        if state.looked.elapsed() >= LOOK_EVERY {
            self.look(&mut state);
        }
        Arc::clone(&state.keys)
    }

    fn look(&self, state: &mut State) {
        state.looked = Instant::now();
        let stamp = Stamp::of(&self.path);
        if stamp == state.stamp && stamp.is_some() {
            return;
        }
        match read(&self.path) {
            Ok(keys) => {
                tracing::info!(path = %self.path.display(), keys = keys.len(), "trusted keys read again");
                state.keys = Arc::new(keys);
                state.problem = None;
            }
            Err(error) => {
                let problem = format!("{error}; {}; the keys read before stay in use", error.remedy());
                if state.problem.as_ref() != Some(&problem) {
                    tracing::error!(problem, "trusted keys cannot be read again");
                }
                state.problem = Some(problem);
            }
        }
        state.stamp = stamp;
    }

    fn locked(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read(path: &Path) -> Result<KeySet, KeyError> {
    let bytes = fs::read(path).map_err(|source| KeyError::Unreadable { path: path.to_owned(), source })?;
    KeySet::parse(path, &bytes)
}
