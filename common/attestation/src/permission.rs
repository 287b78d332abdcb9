//! What a publisher may ask for. A closed list; names of permissions that this build does not know grant nothing.

use std::fmt;

/// A right of a publisher.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Permission {
    /// Look, and mark as favourite.
    ScanView,
    /// Register sources.
    ScanCreate,
    /// Change sources and run work on them.
    ScanEdit,
    /// Delete sources.
    ScanDelete,
}

impl Permission {
    /// Every permission.
    pub const ALL: [Self; 4] = [Self::ScanView, Self::ScanCreate, Self::ScanEdit, Self::ScanDelete];

    /// Its name in attestations and key files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ScanView => "scan.view",
            Self::ScanCreate => "scan.create",
            Self::ScanEdit => "scan.edit",
            Self::ScanDelete => "scan.delete",
        }
    }

    /// By its name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|permission| permission.as_str() == text)
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
