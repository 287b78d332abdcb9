//! What was done to the system, and what it did by itself, as it happens: `nemesis.jsonl`, and a line for whoever watches.

use std::io::Write as _;
use std::time::Instant;

use anyhow::Result;
use serde_json::{Map, Value as Json};

use super::time::now_ms;
use crate::history::{Act, Folder, Lines};

/// Writes acts down.
pub struct Diary {
    folder: Folder,
    start: Instant,
    loud: bool,
}

impl Diary {
    /// Into a folder; `loud`: on standard error, too.
    pub fn new(folder: &Folder, loud: bool) -> Self {
        Self { folder: folder.clone(), start: Instant::now(), loud }
    }

    /// One act.
    ///
    /// # Errors
    /// The history cannot be written.
    pub fn act(&self, act: &str, target: &str, pid: Option<u32>, more: Json) -> Result<()> {
        self.say(&format!("{act} {target} {}", if more.is_null() { String::new() } else { more.to_string() }));
        let more = if let Json::Object(fields) = more { fields } else { Map::new() };
        let act = Act { at_ms: now_ms(), act: act.to_owned(), target: target.to_owned(), pid, more };
        self.folder.append(Lines::Acts, &[act])
    }

    /// Tells whoever watches.
    pub fn say(&self, text: &str) {
        if self.loud {
            // Nobody may be watching.
            let _ = writeln!(std::io::stderr(), "{:7.1} s  {text}", self.start.elapsed().as_secs_f64());
        }
    }
}
