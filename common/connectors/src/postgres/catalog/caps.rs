//! How much of a customer's text is kept. A server may hold a view of a gigabyte; an event may not.
//! Owns the caps and the form of what was cut; must not know SQL.

use pursight_schemas::hash::sha256_hex;

/// Objects of one run; a listing beyond that is not complete.
pub const OBJECTS: usize = 100_000;
/// Bytes of a name.
pub const IDENTIFIER: usize = 1024;
/// Bytes of a definition of an object.
pub const DEFINITION: usize = 64 * 1024;
/// Bytes of a comment, a default, the definition of a constraint or of an index.
pub const EXPRESSION: usize = 16 * 1024;
/// Bytes of all texts of one object together, so that its event stays below the largest record.
pub const OBJECT: usize = 640 * 1024;

/// Cuts the texts of one object and remembers where.
#[derive(Debug)]
pub(super) struct Cutter {
    left: usize,
    truncated: Vec<String>,
}

impl Cutter {
    pub(super) fn new() -> Self {
        Self { left: OBJECT, truncated: Vec::new() }
    }

    /// The text, at most `cap` bytes of it. What was cut ends in a hash of the whole, so that a change behind the cut
    /// is a change all the same.
    pub(super) fn text(&mut self, text: String, cap: usize, path: impl FnOnce() -> String) -> String {
        let cap = cap.min(self.left);
        if text.len() <= cap {
            self.left -= text.len();
            return text;
        }
        self.truncated.push(path());
        let text = cut(&text, cap);
        self.left = self.left.saturating_sub(text.len());
        text
    }

    pub(super) fn optional(
        &mut self,
        text: Option<String>,
        cap: usize,
        path: impl FnOnce() -> String,
    ) -> Option<String> {
        text.map(|text| self.text(text, cap, path))
    }

    pub(super) fn name(&mut self, name: String, path: impl FnOnce() -> String) -> String {
        if name.len() > IDENTIFIER {
            self.truncated.push(path());
        }
        identifier(name)
    }

    /// Marks what was cut elsewhere.
    pub(super) fn mark(&mut self, path: &str) {
        self.truncated.push(path.to_owned());
    }

    pub(super) fn done(mut self) -> Vec<String> {
        self.truncated.sort();
        self.truncated.dedup();
        self.truncated
    }
}

/// A name within its cap; a cut one still differs from every other.
pub(super) fn identifier(name: String) -> String {
    if name.len() <= IDENTIFIER { name } else { cut(&name, IDENTIFIER) }
}

fn cut(text: &str, cap: usize) -> String {
    let mark = format!("… [cut, sha256 {}]", sha256_hex(text.as_bytes()));
    let mut end = cap.saturating_sub(mark.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{mark}", &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_between_characters_and_marked() {
        let mut cutter = Cutter::new();
        let long = "é".repeat(DEFINITION);
        let kept = cutter.text(long.clone(), DEFINITION, || "definition".into());
        assert!(kept.len() <= DEFINITION && kept.len() > DEFINITION - 4, "{}", kept.len());
        let other = cutter.text(long + "x", DEFINITION, || "definition".into());
        assert_ne!(kept, other, "a change behind the cut must show");
        assert_eq!(cutter.text("short".into(), DEFINITION, || "comment".into()), "short");
        assert_eq!(cutter.done(), ["definition"]);
    }

    #[test]
    fn many_texts_together_stay_below_the_cap_of_an_object() {
        let mut cutter = Cutter::new();
        let kept: usize =
            (0..200).map(|n| cutter.text("x".repeat(EXPRESSION), EXPRESSION, || n.to_string()).len()).sum();
        assert!(kept < OBJECT + 200 * 128, "{kept}");
        assert_eq!(cutter.done().len(), 160);
    }

    #[test]
    fn long_names_stay_distinct() {
        let name = "n".repeat(5000);
        assert_ne!(identifier(format!("{name}a")), identifier(format!("{name}b")));
        assert!(identifier(name).len() <= IDENTIFIER);
    }
}
