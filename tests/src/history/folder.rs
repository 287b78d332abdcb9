//! The folder of one run: which file holds what, how it is written, how it is read. Knows no broker.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead as _, BufReader, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use pursight_schemas::Topic;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::types::{Ends, Plan};

/// A file of one JSON document a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lines {
    /// [`super::Operation`]s.
    Operations,
    /// [`super::Act`]s.
    Acts,
    /// [`super::Recorded`], read_committed.
    Records(Topic),
    /// [`super::Recorded`], read_uncommitted.
    Uncommitted(Topic),
    /// [`super::PositionSample`]s.
    Positions,
    /// [`super::RowHash`]es of the read model.
    Live,
    /// [`super::RowHash`]es of the rebuilt one.
    Rebuilt,
}

impl Lines {
    fn path(self) -> String {
        match self {
            Self::Operations => "operations.jsonl".to_owned(),
            Self::Acts => "nemesis.jsonl".to_owned(),
            Self::Records(topic) => format!("records/{}.jsonl", topic.short()),
            Self::Uncommitted(topic) => format!("uncommitted/{}.jsonl", topic.short()),
            Self::Positions => "positions.jsonl".to_owned(),
            Self::Live => "live.jsonl".to_owned(),
            Self::Rebuilt => "rebuilt.jsonl".to_owned(),
        }
    }
}

/// The folder of one run.
#[derive(Debug, Clone)]
pub struct Folder(PathBuf);

impl Folder {
    /// A folder that is there, or will be.
    pub fn at(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// Makes it, with the folders in it.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn create(path: &Path) -> Result<Self> {
        for inner in ["records", "uncommitted", "logs"] {
            fs::create_dir_all(path.join(inner)).with_context(|| path.display().to_string())?;
        }
        Ok(Self::at(path))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Where processes write their logs.
    pub fn logs(&self) -> PathBuf {
        self.0.join("logs")
    }

    /// A file of lines, open for adding some. Each line is written whole, so several may hold it open.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn open(&self, lines: Lines) -> Result<File> {
        let path = self.0.join(lines.path());
        OpenOptions::new().create(true).append(true).open(&path).with_context(|| path.display().to_string())
    }

    /// Adds lines to a file.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn append<T: Serialize>(&self, lines: Lines, all: &[T]) -> Result<()> {
        let mut text = Vec::new();
        for one in all {
            serde_json::to_writer(&mut text, one)?;
            text.push(b'\n');
        }
        self.open(lines)?.write_all(&text).context("writing the history")
    }

    /// Writes one of the documents: `plan`, `ends`, `report`.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write<T: Serialize>(&self, name: &str, document: &T) -> Result<()> {
        let path = self.0.join(format!("{name}.json"));
        fs::write(&path, serde_json::to_vec_pretty(document)?).with_context(|| path.display().to_string())
    }

    /// The plan.
    ///
    /// # Errors
    /// It is missing or cannot be understood.
    pub fn read_plan(&self) -> Result<Plan> {
        self.read("plan")
    }

    /// Where everything stood at the end.
    ///
    /// # Errors
    /// It is missing or cannot be understood.
    pub fn read_ends(&self) -> Result<Ends> {
        self.read("ends")
    }

    /// Reads one of the documents.
    ///
    /// # Errors
    /// It is missing or cannot be understood.
    pub fn read<T: DeserializeOwned>(&self, name: &str) -> Result<T> {
        let path = self.0.join(format!("{name}.json"));
        let read = || -> Result<T> { Ok(serde_json::from_slice(&fs::read(&path)?)?) };
        read().with_context(|| path.display().to_string())
    }

    /// Every line of a file. A file that is not there has none, except those without which nothing can be judged.
    ///
    /// # Errors
    /// It cannot be read, or a line cannot be understood.
    pub fn read_lines<T: DeserializeOwned>(&self, lines: Lines) -> Result<Vec<T>> {
        let path = self.0.join(lines.path());
        let needed = !matches!(lines, Lines::Records(_) | Lines::Uncommitted(_));
        let file = match File::open(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound && !needed => return Ok(Vec::new()),
            opened => opened.with_context(|| path.display().to_string())?,
        };
        let mut all = Vec::new();
        for (at, line) in BufReader::new(file).lines().enumerate() {
            let place = || format!("{} line {}", path.display(), at + 1);
            let line = line.with_context(place)?;
            all.push(serde_json::from_str(&line).with_context(place)?);
        }
        Ok(all)
    }
}
