//! What a PostgreSQL catalog says: the listing, the details of objects, the fingerprint, the visibility.
//! Owns all catalog statements (constant text, set-based) and how their rows become objects; must not know what was
//! there before, nor how a session came to be. `types` is what callers work with.

pub mod types;

pub use types::{CatalogObject, Dependency, Fingerprint, Listed, Listing, Visibility, scope_hash};
