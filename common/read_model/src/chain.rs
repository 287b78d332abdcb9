//! The hash chain of the audit trail: each row's hash covers the one before it in its partition, so that a changed, lost
//! or inserted line is found by whoever reads the topic again. Pure.

use pursight_schemas::hash::{Canonical, sha256_hex};

/// Hash of an audit record that follows one of hash `previous` (empty for the first): SHA-256 over the canonical form of
/// `previous` and of the SHA-256 of the record's whole value.
pub fn link(previous: &str, value: &[u8]) -> String {
    Canonical::new().text(previous).text(&sha256_hex(value)).sha256()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_link_depends_on_all_before_it() {
        let first = link("", b"one");
        assert_ne!(link(&first, b"two"), link("", b"two"));
        assert_ne!(link(&first, b"two"), link(&first, b"three"));
        assert_eq!(link(&first, b"two"), link(&link("", b"one"), b"two"));
    }
}
