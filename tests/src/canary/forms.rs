//! How a secret looks when it is written somewhere: as it is, in the encodings that programs use, whole and in pieces.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// Bytes of the secret in a piece. Any run of that many, in whatever encoding, is a leak: texts are cut and wrapped.
pub const PIECE: usize = 12;

/// An encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Encoding {
    /// As it is.
    Raw,
    /// Base64, at each of the three alignments.
    Base64,
    /// Base64 with `-` and `_`, at each of the three alignments.
    Base64Url,
    /// Hexadecimal, small or capital letters.
    Hex,
    /// Percent-encoded, small or capital letters.
    Url,
    /// UTF-16, either byte order.
    Utf16,
    /// Escaped as in a JSON text, once or twice (JSON in JSON).
    Json,
    /// Only backslashes escaped, as in PostgreSQL's COPY and so in `pg_dump`.
    Copy,
}

/// A text to search for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form {
    /// How the secret is written in it.
    pub encoding: Encoding,
    /// Whether it is the whole secret; else a piece.
    pub whole: bool,
    /// The text.
    pub bytes: Vec<u8>,
}

/// All forms of a secret: in each encoding whole, and each piece.
pub fn of(secret: &[u8]) -> Vec<Form> {
    let mut forms = written(secret, true);
    for piece in secret.windows(PIECE) {
        forms.extend(written(piece, false));
    }
    forms
}

fn written(secret: &[u8], whole: bool) -> Vec<Form> {
    let mut forms = Vec::new();
    let mut add = |encoding, bytes: Vec<u8>| {
        let form = Form { encoding, whole, bytes };
        // Where nothing needs escaping, the form is the raw one.
        if !forms.iter().any(|known: &Form| known.bytes == form.bytes) {
            forms.push(form);
        }
    };
    add(Encoding::Raw, secret.to_owned());
    for alignment in 0..3 {
        add(Encoding::Base64, base64(secret, alignment, false));
        add(Encoding::Base64Url, base64(secret, alignment, true));
    }
    add(Encoding::Hex, hex(secret, false));
    add(Encoding::Hex, hex(secret, true));
    add(Encoding::Url, url(secret, false));
    add(Encoding::Url, url(secret, true));
    if let Ok(text) = std::str::from_utf8(secret) {
        add(Encoding::Utf16, text.encode_utf16().flat_map(u16::to_le_bytes).collect());
        add(Encoding::Utf16, text.encode_utf16().flat_map(u16::to_be_bytes).collect());
        add(Encoding::Json, json(text).into_bytes());
        add(Encoding::Json, json(&json(text)).into_bytes());
        add(Encoding::Copy, text.replace('\\', r"\\").into_bytes());
    }
    forms
}

/// What of the base64 of a longer text depends on the secret alone, when `before` bytes (modulo three) precede it.
fn base64(secret: &[u8], before: usize, url: bool) -> Vec<u8> {
    let padded = [&[0; 2][..before], secret].concat();
    let text = if url { URL_SAFE_NO_PAD.encode(&padded) } else { STANDARD_NO_PAD.encode(&padded) };
    // A character holds six bits: those that begin before the secret, or end after it, depend on its neighbours.
    let first = (before * 8).div_ceil(6);
    let last = padded.len() * 8 / 6;
    text.as_bytes()[first..last].to_owned()
}

fn hex(secret: &[u8], capital: bool) -> Vec<u8> {
    let digit = |byte: &u8| if capital { format!("{byte:02X}") } else { format!("{byte:02x}") };
    secret.iter().map(digit).collect::<String>().into_bytes()
}

fn url(secret: &[u8], capital: bool) -> Vec<u8> {
    let kept = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~".contains(byte);
    let escaped = |byte: &u8| match byte {
        byte if kept(byte) => char::from(*byte).to_string(),
        byte if capital => format!("%{byte:02X}"),
        byte => format!("%{byte:02x}"),
    };
    secret.iter().map(escaped).collect::<String>().into_bytes()
}

fn json(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}
