//! Hashes that persist: SHA-256 over canonical bytes, written as lower-case hex.
//! Owns the canonical form (each text as 4-byte big-endian length and UTF-8, absent as `0xFFFFFFFF`); knows nothing of
//! what is hashed.

use sha2::{Digest, Sha256};

/// Collects canonical bytes.
#[derive(Debug, Clone, Default)]
pub struct Canonical(Vec<u8>);

impl Canonical {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A present text.
    pub fn text(&mut self, text: &str) -> &mut Self {
        self.count(text.len());
        self.0.extend_from_slice(text.as_bytes());
        self
    }

    /// A text that may be absent.
    pub fn optional(&mut self, text: Option<&str>) -> &mut Self {
        match text {
            Some(text) => self.text(text),
            None => {
                self.0.extend_from_slice(&[0xff; 4]);
                self
            }
        }
    }

    /// A truth value, as text.
    pub fn flag(&mut self, flag: bool) -> &mut Self {
        self.text(if flag { "true" } else { "false" })
    }

    /// The length of a list that follows. Saturates at 2^32 - 2, far above every cap.
    pub fn count(&mut self, count: usize) -> &mut Self {
        let count = u32::try_from(count).unwrap_or(u32::MAX - 1).min(u32::MAX - 1);
        self.0.extend_from_slice(&count.to_be_bytes());
        self
    }

    /// A list of texts in its own order.
    pub fn list<'a>(&mut self, texts: impl ExactSizeIterator<Item = &'a str>) -> &mut Self {
        self.count(texts.len());
        for text in texts {
            self.text(text);
        }
        self
    }

    /// A set: the elements' canonical bytes, sorted.
    pub fn set(&mut self, mut elements: Vec<Canonical>) -> &mut Self {
        elements.sort_by(|a, b| a.0.cmp(&b.0));
        self.count(elements.len());
        for element in elements {
            self.0.extend_from_slice(&element.0);
        }
        self
    }

    /// SHA-256 of what was collected.
    pub fn sha256(&self) -> String {
        sha256_hex(&self.0)
    }
}

/// A hash over bytes that come one after the other.
#[derive(Debug, Clone, Default)]
pub struct Rolling(Sha256);

impl Rolling {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes more bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// SHA-256 of all bytes, as lower-case hex.
    pub fn sha256(self) -> String {
        hex(&self.0.finalize())
    }
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: [u8; 16] = *b"0123456789abcdef";
    let digit = |half: u8| char::from(DIGITS[usize::from(half)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0x0f)]).collect()
}

/// SHA-256 as lower-case hex.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_and_empty_differ_and_sets_have_no_order() {
        assert_ne!(Canonical::new().optional(None).sha256(), Canonical::new().optional(Some("")).sha256());
        let element = |text: &str| Canonical::new().text(text).clone();
        let one = Canonical::new().set(vec![element("a"), element("b")]).sha256();
        assert_eq!(one, Canonical::new().set(vec![element("b"), element("a")]).sha256());
        assert_ne!(one, Canonical::new().set(vec![element("ab")]).sha256());
    }

    #[test]
    fn the_empty_hash_is_the_published_one() {
        assert_eq!(sha256_hex(b""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }
}
