//! Reads single values by the table and collects what is wrong, so that an operator mends everything in one go.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use url::Url;

use super::error::{Fault, SettingsError};
use super::table::{SETTINGS, Setting, Shown, find, nearest};
use super::{Line, Settings};
use crate::telemetry::redact;

pub(super) struct Reader<'a> {
    map: &'a BTreeMap<String, String>,
    faults: Vec<Fault>,
}

impl<'a> Reader<'a> {
    pub fn new(map: &'a BTreeMap<String, String>) -> Self {
        Self { map, faults: Vec::new() }
    }

    pub fn finish(self, settings: Settings) -> Result<Settings, SettingsError> {
        if self.faults.is_empty() { Ok(settings) } else { Err(SettingsError(self.faults)) }
    }

    pub fn invalid(&mut self, name: &'static str, expected: impl Into<String>) {
        self.faults.push(Fault::Invalid { name, expected: expected.into() });
    }

    /// Names with our prefix that nobody reads are typing errors. `PURSIGHT_TEST_*` belongs to tests.
    pub fn refuse_unknown(&mut self) {
        for name in self.map.keys() {
            if name.starts_with("PURSIGHT_") && !name.starts_with("PURSIGHT_TEST_") && find(name).is_none() {
                self.faults.push(Fault::Unknown { name: name.clone(), nearest: nearest(name) });
            }
        }
    }

    /// A set value; an empty one counts as not set.
    fn set(&self, name: &str) -> Option<&'a String> {
        self.map.get(name).filter(|value| !value.is_empty())
    }

    /// The value or the table's default.
    pub fn text(&self, name: &'static str) -> Option<String> {
        self.set(name).cloned().or_else(|| find(name)?.default.map(str::to_owned))
    }

    pub fn path(&self, name: &'static str) -> Option<PathBuf> {
        self.text(name).map(PathBuf::from)
    }

    pub fn list(&self, name: &'static str) -> Vec<String> {
        let text = self.text(name).unwrap_or_default();
        text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
    }

    /// A number of the range; the range's start where it is wrong, which is reported.
    pub fn number(&mut self, name: &'static str, range: RangeInclusive<u32>) -> u32 {
        match self.text(name).and_then(|text| text.parse().ok()).filter(|number| range.contains(number)) {
            Some(number) => number,
            None => {
                self.invalid(name, format!("a whole number from {} to {}", range.start(), range.end()));
                *range.start()
            }
        }
    }

    /// One of some words, in any case; the first where it is wrong, which is reported.
    pub fn choice<T: Copy>(&mut self, name: &'static str, choices: &[(&str, T)]) -> Option<T> {
        let text = self.text(name)?;
        let found = choices.iter().find(|(word, _)| word.eq_ignore_ascii_case(&text));
        if found.is_none() {
            let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
            self.invalid(name, format!("one of {}", words.join(", ")));
        }
        found.map(|(_, choice)| *choice)
    }

    pub fn url(&mut self, name: &'static str) -> Option<String> {
        let text = self.text(name)?;
        match Url::parse(&text) {
            Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Some(text),
            _ => {
                self.invalid(name, "a URL that begins with http:// or https://");
                None
            }
        }
    }

    pub fn instance(&mut self) -> String {
        const NAME: &str = "PURSIGHT_INSTANCE";
        let given = self.set(NAME).or_else(|| self.set("HOSTNAME")).cloned().unwrap_or_else(|| "local".to_owned());
        let known = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if given.len() > 100 || !given.bytes().all(known) {
            self.invalid(NAME, "up to 100 letters, digits, dots, hyphens and underscores");
        }
        given
    }

    pub fn lines(&self) -> Vec<Line> {
        SETTINGS.iter().map(|setting| Line { setting, value: self.shown(setting) }).collect()
    }

    fn shown(&self, setting: &'static Setting) -> Option<String> {
        let value = self.set(setting.name)?;
        Some(match setting.shown {
            Shown::Plain => value.clone(),
            Shown::Url if Url::parse(value).is_ok() => redact(value).into_owned(),
            Shown::Url | Shown::Never => "[redacted]".to_owned(),
        })
    }
}
