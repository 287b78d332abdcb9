//! One pass over bytes, files or folders for every form of every canary. Files are read in blocks, so that a core file or
//! a preallocated index costs no memory.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::fs::{File, read_dir, symlink_metadata};
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::{Canary, Encoding};

/// What is read at once.
const BLOCK: usize = 1 << 20;
/// First bytes of a form, by which it is recognised; every form is longer.
const KEY: usize = 8;
/// Size of the filter, in bits: so many that few of ten thousand forms share one with what is really there.
const FILTER_BITS: u32 = 20;

/// A canary that is where it must not be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Found {
    /// File, or what the scan was told.
    pub place: String,
    /// First byte of it there.
    pub begin: u64,
    /// First byte after it.
    pub end: u64,
    /// Name of the canary.
    pub canary: String,
    /// How it is written there.
    pub encoding: Encoding,
    /// Whether all of it; else a piece of at least twelve bytes.
    pub whole: bool,
}

impl fmt::Display for Found {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let much = if self.whole { "" } else { "a piece of " };
        write!(out, "{}: {much}{} as {:?} at byte {}", self.place, self.canary, self.encoding, self.begin)
    }
}

/// Which canary, how it is written, and whether all of it.
type Pattern = (usize, Encoding, bool);

/// A search for all forms of some canaries. Written by hand because it is to be quick without optimisation too: a byte of
/// what is searched costs a shift, a product and a look at one bit.
pub struct Scan {
    canaries: Vec<Canary>,
    /// By its first bytes: each form, and what it is.
    forms: HashMap<u64, Vec<(Vec<u8>, Pattern)>>,
    /// A bit for each hash of first bytes.
    filter: Vec<u64>,
    longest: usize,
}

impl Scan {
    /// A search for these.
    pub fn of(canaries: &[Canary]) -> Self {
        let mut scan = Self {
            canaries: canaries.to_vec(),
            forms: HashMap::new(),
            filter: vec![0; 1 << (FILTER_BITS - 6)],
            longest: 0,
        };
        for (at, canary) in canaries.iter().enumerate() {
            for form in canary.forms() {
                let key = form.bytes[..KEY].iter().fold(0, |key, byte| next(key, *byte));
                let bit = hash(key);
                scan.filter[bit >> 6] |= 1 << (bit & 63);
                scan.longest = scan.longest.max(form.bytes.len());
                scan.forms.entry(key).or_default().push((form.bytes, (at, form.encoding, form.whole)));
            }
        }
        scan
    }

    /// What is found in some bytes; `place` is how a finding calls them.
    pub fn bytes(&self, place: &str, bytes: &[u8]) -> Vec<Found> {
        let mut all = Findings::default();
        self.look(bytes, 0, &mut all);
        self.named(place, all)
    }

    /// What is found in a file.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn file(&self, path: &Path) -> Result<Vec<Found>> {
        let place = path.display().to_string();
        self.stream(&place, File::open(path).with_context(|| place.clone())?).with_context(|| place)
    }

    /// What is found in all that a reader gives.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn stream(&self, place: &str, reader: impl Read) -> Result<Vec<Found>> {
        let mut reader = reader;
        let mut all = Findings::default();
        let (mut block, mut kept, mut begin) = (vec![0; BLOCK + self.longest], 0, 0_u64);
        let zeros = vec![0; BLOCK];
        loop {
            let read = fill(&mut reader, &mut block[kept..kept + BLOCK])?;
            if read == 0 {
                return Ok(self.named(place, all));
            }
            let full = kept + read;
            // Servers preallocate: what is empty is passed over.
            if block[kept..full] != zeros[..read] || kept > 0 {
                self.look(&block[..full], begin, &mut all);
            }
            // The next block begins with as much of this one as a form could have begun in.
            let keep = full.min(self.longest);
            let is_empty = block[full - keep..full].iter().all(|byte| *byte == 0);
            block.copy_within(full - keep..full, 0);
            begin += (full - keep) as u64;
            kept = keep;
            if is_empty {
                begin += keep as u64;
                kept = 0;
            }
        }
    }

    /// What is found in the files of a folder and all below it. Links are not followed.
    ///
    /// # Errors
    /// Something cannot be read. What vanishes meanwhile is passed over: servers remove files.
    pub fn folder(&self, path: &Path) -> Result<Vec<Found>> {
        self.folder_but(path, &[])
    }

    /// The same, but for what lies below some of its folders.
    ///
    /// # Errors
    /// As [`Scan::folder`].
    pub fn folder_but(&self, path: &Path, spared: &[PathBuf]) -> Result<Vec<Found>> {
        let mut all = Vec::new();
        for file in files_of(path)? {
            if spared.iter().any(|folder| file.starts_with(folder)) {
                continue;
            }
            match File::open(&file) {
                Ok(open) => all.extend(self.stream(&file.display().to_string(), open)?),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(error).with_context(|| file.display().to_string()),
            }
        }
        Ok(all)
    }

    fn look(&self, bytes: &[u8], begin: u64, all: &mut Findings) {
        let mut key = 0;
        for (at, byte) in bytes.iter().enumerate() {
            key = next(key, *byte);
            let bit = hash(key);
            if self.filter[bit >> 6] & (1 << (bit & 63)) != 0 && at + 1 >= KEY {
                self.compare(&bytes[at + 1 - KEY..], key, begin + (at + 1 - KEY) as u64, all);
            }
        }
    }

    /// Which forms really begin here.
    fn compare(&self, bytes: &[u8], key: u64, begin: u64, all: &mut Findings) {
        for (form, pattern) in self.forms.get(&key).into_iter().flatten() {
            if bytes.starts_with(form) {
                all.0.insert((begin, begin + form.len() as u64, *pattern));
            }
        }
    }

    fn named(&self, place: &str, all: Findings) -> Vec<Found> {
        let found = |(begin, end, (canary, encoding, whole)): (u64, u64, Pattern)| Found {
            place: place.to_owned(),
            begin,
            end,
            canary: self.canaries[canary].name.clone(),
            encoding,
            whole,
        };
        all.0.into_iter().map(found).collect()
    }
}

/// The last bytes, as one number.
fn next(key: u64, byte: u8) -> u64 {
    (key << 8) | u64::from(byte)
}

/// Which bit of the filter stands for these bytes.
fn hash(key: u64) -> usize {
    (key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - FILTER_BITS)) as usize
}

/// By place and pattern: a form that two blocks share is one finding.
#[derive(Default)]
struct Findings(BTreeSet<(u64, u64, Pattern)>);

/// Reads until the buffer is full or there is no more.
fn fill(reader: &mut impl Read, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut full = 0;
    while full < buffer.len() {
        match reader.read(&mut buffer[full..])? {
            0 => break,
            read => full += read,
        }
    }
    Ok(full)
}

/// All files below a folder, in order; links and sockets are none.
pub(super) fn files_of(path: &Path) -> Result<Vec<PathBuf>> {
    let (mut files, mut folders) = (Vec::new(), vec![path.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in read_dir(&folder).with_context(|| folder.display().to_string())? {
            let path = entry?.path();
            match symlink_metadata(&path) {
                Ok(metadata) if metadata.is_dir() => folders.push(path),
                Ok(metadata) if metadata.is_file() => files.push(path),
                _ => {}
            }
        }
    }
    files.sort();
    Ok(files)
}
