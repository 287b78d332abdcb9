//! What a command has to say, once: a document for programs, text for people. The only writer to stdout, so that
//! `--json` gives exactly one document; progress and notes go to stderr.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::Duration;

use comfy_table::{ContentArrangement, LineStyle, Table, TableStyle};
use indicatif::{ProgressBar, ProgressStyle};
use pursight_schemas::Micros;
use serde_json::Value as Json;

/// Width of tables that go to a file or a pipe.
const PLAIN_WIDTH: u16 = 180;

/// The end of a command that could say something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// For programs; null where the command has written its own lines.
    pub document: Json,
    /// For people.
    pub text: String,
    /// Whether what it tells is a refusal or a failure (exit code 1).
    pub failed: bool,
    /// Whether what it tells is that a server does not answer (exit code 3).
    pub unreachable: bool,
}

impl Report {
    /// Something went well.
    pub fn new(document: Json, text: impl Into<String>) -> Self {
        Self { document, text: text.into(), failed: false, unreachable: false }
    }

    /// The command has written everything already.
    pub fn silent() -> Self {
        Self::new(Json::Null, "")
    }

    /// The same report as a failure, if it is one.
    #[must_use]
    pub fn failed_if(mut self, failed: bool) -> Self {
        self.failed = failed;
        self
    }

    /// The process's exit code.
    pub const fn exit_code(&self) -> u8 {
        if self.unreachable { 3 } else { self.failed as u8 }
    }

    /// Writes it to stdout, in the form that was asked for.
    ///
    /// # Errors
    /// When stdout is closed.
    pub fn write(&self, json: bool) -> io::Result<()> {
        let mut out = io::stdout().lock();
        if json && !self.document.is_null() {
            writeln!(out, "{:#}", self.document)?;
        } else if !json && !self.text.is_empty() {
            writeln!(out, "{}", harmless(self.text.trim_end()))?;
        }
        out.flush()
    }
}

/// A table for people. An empty one says so.
pub fn table<const N: usize>(heads: [&str; N], rows: Vec<[String; N]>) -> String {
    if rows.is_empty() {
        return "nothing to show".to_owned();
    }
    let mut table = Table::new();
    let style = TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));
    table.load_style(style).set_content_arrangement(ContentArrangement::Dynamic);
    if !table.is_tty() {
        table.set_width(PLAIN_WIDTH);
    }
    table.set_header(heads);
    for row in rows {
        table.add_row(row.map(|cell| harmless(&cell)));
    }
    table.trim_fmt()
}

/// The text as a terminal may have it: names and comments are a customer's to choose, and would else move the cursor, set
/// the title or turn a line around. Such characters are written as what they are.
pub fn harmless(text: &str) -> String {
    let dangerous = |c: char| {
        let marks = matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        marks || (c.is_control() && c != '\n' && c != '\t')
    };
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if dangerous(c) { shown.extend(c.escape_unicode()) } else { shown.push(c) }
    }
    shown
}

/// Names and values, one a line; lines without a value are left out.
pub fn pairs(lines: &[(&str, String)]) -> String {
    let width = lines.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default();
    let shown = lines.iter().filter(|(_, value)| !value.is_empty());
    shown.map(|(name, value)| format!("{name:width$}  {value}\n")).collect()
}

/// A value of a row as people read it: what is not stated is left out.
pub fn plain(value: &Json) -> String {
    match value {
        Json::Null => String::new(),
        Json::String(text) if text == "UNKNOWN" => String::new(),
        Json::String(text) => text.clone(),
        Json::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(", "),
        Json::Object(fields) => {
            let stated = fields.iter().map(|(name, value)| (name, plain(value))).filter(|(_, text)| !text.is_empty());
            stated.map(|(name, text)| format!("{name} {text}")).collect::<Vec<_>>().join(", ")
        }
        Json::Bool(_) | Json::Number(_) => value.to_string(),
    }
}

/// A time of a row as people read it: UTC, to the second. Times inside documents are microseconds.
pub fn when(value: &Json) -> String {
    let micros = value.as_i64().map(Micros).or_else(|| Micros::parse(value.as_str()?));
    let time = micros.and_then(Micros::to_utc);
    time.map_or_else(|| plain(value), |time| time.format("%Y-%m-%d %H:%M:%SZ").to_string())
}

/// A size as people read it.
pub fn bytes(size: i64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let (mut whole, mut rest, mut unit) = (size.max(0), 0, 0);
    while whole >= 1024 && unit + 1 < UNITS.len() {
        (rest, whole, unit) = (whole % 1024, whole / 1024, unit + 1);
    }
    if unit == 0 { format!("{whole} B") } else { format!("{whole}.{} {}", rest * 10 / 1024, UNITS[unit]) }
}

/// A duration in microseconds as people read it.
pub fn micros(duration: i64) -> String {
    match duration {
        ..1_000 => format!("{duration} µs"),
        1_000..1_000_000 => format!("{}.{} ms", duration / 1_000, duration % 1_000 / 100),
        _ => format!("{}.{:02} s", duration / 1_000_000, duration % 1_000_000 / 10_000),
    }
}

/// A word to the person at the terminal, beside the report.
pub fn note(text: &str) {
    // A closed stderr is no reason to stop.
    drop(writeln!(io::stderr(), "{text}"));
}

/// A spinner on stderr while something is under way; invisible where there is no terminal.
pub struct Progress(ProgressBar);

impl Progress {
    /// Begins with `text`.
    pub fn start(text: &str) -> Self {
        let bar = if io::stderr().is_terminal() { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
        bar.set_message(text.to_owned());
        bar.enable_steady_tick(Duration::from_millis(120));
        Self(bar)
    }

    /// How far it is.
    pub fn at(&self, done: i64, total: Option<i64>, text: &str) {
        if let Some(total) = total.and_then(|total| u64::try_from(total).ok()).filter(|total| *total > 0) {
            if self.0.length() != Some(total)
                && let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg} {elapsed}")
            {
                self.0.set_style(style);
            }
            self.0.set_length(total);
        }
        self.0.set_position(u64::try_from(done).unwrap_or_default());
        self.0.set_message(text.to_owned());
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn figures_are_printed_for_people() {
        assert_eq!(bytes(512), "512 B");
        assert_eq!(bytes(1_536), "1.5 KiB");
        assert_eq!(bytes(52 * 1024 * 1024), "52.0 MiB");
        assert_eq!(micros(999), "999 µs");
        assert_eq!(micros(12_345), "12.3 ms");
        assert_eq!(micros(3_050_000), "3.05 s");
    }

    #[test]
    fn values_are_printed_without_what_is_not_stated() {
        let value = json!({"mode": "REQUIRE", "ca": null, "target": "UNKNOWN", "tags": ["a", "b"], "size": 2});
        assert_eq!(plain(&value), "mode REQUIRE, tags a, b, size 2");
        assert_eq!(when(&json!("2026-01-31T12:00:00.5+01:00")), "2026-01-31 11:00:00Z");
        assert_eq!(when(&json!(1_000_000)), "1970-01-01 00:00:01Z");
        assert_eq!(when(&Json::Null), "");
    }

    #[test]
    fn what_would_move_a_terminal_is_written_out() {
        assert_eq!(harmless("a\u{1b}[2J\u{202e}b\nc\td é 🦀"), "a\\u{1b}[2J\\u{202e}b\nc\td é 🦀");
    }

    #[test]
    fn pairs_leave_out_what_is_empty() {
        assert_eq!(
            pairs(&[("name", "a".into()), ("owner", String::new()), ("id", "7".into())]),
            "name   a\nid     7\n"
        );
    }
}
