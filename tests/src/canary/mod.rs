//! The canary scan (`G11`): secrets that are unique, every form in which one may leak, and the search for them. Owns what a
//! leak looks like; must not know where a system keeps things: the places are the scenario's (`scenarios/canary`).
//!
//! A scan that finds nothing proves something only beside a positive control: the same [`Scan`] must find a canary that
//! was planted in the same place.

mod forms;
mod scan;

use uuid::Uuid;

pub use forms::{Encoding, Form, PIECE};
pub use scan::{Found, Scan};

/// One secret to look for.
#[derive(Clone)]
pub struct Canary {
    /// What a finding calls it; never the secret.
    pub name: String,
    secret: Vec<u8>,
}

impl Canary {
    /// A new random text that every encoding writes differently: no run of [`PIECE`] letters is left whole by JSON or URL
    /// escaping, and base64 needs `+` or `/` at each alignment. Fit for a password of PostgreSQL.
    pub fn random(name: &str) -> Self {
        let digits = Uuid::new_v4().simple().to_string();
        // Periods of eight: each three alignments of base64 meet a `~` or `?`, and every twelve bytes an escape.
        let parts = [&digits[..6], "\"~", &digits[6..12], "\\?", &digits[12..18], "\"~", &digits[18..24], "\\?"];
        Self::of(name, parts.concat().as_bytes())
    }

    /// A secret that somebody else made, such as a key.
    ///
    /// # Panics
    /// It is shorter than [`PIECE`]: what short can be found by chance.
    pub fn of(name: &str, secret: &[u8]) -> Self {
        assert!(secret.len() >= PIECE, "{name} is too short to be told from chance");
        Self { name: name.to_owned(), secret: secret.to_owned() }
    }

    /// The secret as text; a key that is no text has none.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.secret).unwrap_or_default()
    }

    /// The secret.
    pub fn bytes(&self) -> &[u8] {
        &self.secret
    }

    /// Every way in which it may be written.
    pub fn forms(&self) -> Vec<Form> {
        forms::of(&self.secret)
    }
}

#[cfg(test)]
mod tests;
