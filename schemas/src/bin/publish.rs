//! `./dev schemas publish`: gives every new or changed record of `avro/` the next version and id, or says why not.

use std::collections::HashMap;
use std::error::Error;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use pursight_schemas::compat::{self, Sources};
use pursight_schemas::published::Entry;
use pursight_schemas::topics::Topic;
use serde_json::Value as Json;

const FIRST_ID: u32 = 1_000_001;

fn main() -> Result<(), Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut sources = Sources::new();
    for file in files(&root.join("avro"))? {
        compat::add_source(&mut sources, &file.display().to_string(), &fs::read_to_string(&file)?)?;
    }
    let ids = root.join("ids.json");
    let mut entries: Vec<Entry> = serde_json::from_str(&fs::read_to_string(&ids)?)?;
    let mut texts: HashMap<u32, String> = HashMap::new();
    for entry in &entries {
        texts.insert(entry.id, fs::read_to_string(root.join(format!("published/{}.avsc", entry.id)))?);
    }
    let mut out = std::io::stdout();
    for record in compat::records(&sources) {
        let candidate = compat::inline(&sources, &record)?;
        let text = serde_json::to_string_pretty(&candidate)? + "\n";
        let earlier: Vec<(u32, &str)> = entries
            .iter()
            .filter(|entry| entry.record == record)
            .map(|entry| (entry.version, texts[&entry.id].as_str()))
            .collect();
        if let Some((_, newest)) = earlier.last()
            && serde_json::from_str::<Json>(newest)? == candidate
        {
            continue;
        }
        compat::check(&record, &text, &earlier)?;
        let id = entries.iter().map(|entry| entry.id + 1).max().unwrap_or(FIRST_ID);
        let version = earlier.last().map_or(1, |(version, _)| version + 1);
        let topics =
            Topic::ALL.into_iter().filter(|topic| topic.carries(&record)).map(|topic| topic.name("pursight")).collect();
        fs::write(root.join(format!("published/{id}.avsc")), &text)?;
        writeln!(out, "{id}  {record}  version {version}")?;
        texts.insert(id, text);
        entries.push(Entry { id, record, version, topics });
    }
    fs::write(ids, serde_json::to_string_pretty(&entries)? + "\n")?;
    Ok(())
}

fn files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "avsc") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
