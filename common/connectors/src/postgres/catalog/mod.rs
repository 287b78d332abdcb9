//! What a PostgreSQL catalog says: the listing, the details of objects, the fingerprint, the visibility.
//! Owns all catalog statements (constant text in `sql/`, set-based, one a page, for servers from version 12 on) and how
//! their rows become objects; must not know what was there before, nor how a session came to be. `types` is what callers
//! work with; a run calls `visibility`, `fingerprint`, `listing` and then `Pages`.
#![expect(clippy::result_large_err, reason = "problems are rare, and callers publish them as they are")]

pub mod caps;
mod details;
mod facts;
mod family;
mod fingerprint;
pub mod glob;
mod listing;
mod object;
mod pace;
mod pages;
pub(super) mod rows;
pub mod types;

pub use facts::{ServerFacts, databases, facts, schemas, system_identifier, visibility};
pub use fingerprint::fingerprint;
pub use listing::listing;
pub use pace::Pace;
pub use pages::{PageItem, Pages};
pub use rows::{Rows, Take};
pub use types::{CatalogObject, Dependency, Fingerprint, Listed, Listing, Visibility, scope_hash};

/// Settings that decide how the server prints names, types and expressions. A session must have them all, else the same
/// definition reads differently for another role or database. A database without an encoding sends its bytes as they are:
/// asked for UTF-8 it would refuse every row that holds others.
pub const PRINTING: &str = "SET search_path = pg_catalog; SET quote_all_identifiers = off; SET standard_conforming_strings = on; \
    SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD'; SET IntervalStyle = 'postgres'; SET extra_float_digits = 1; \
    SET bytea_output = 'hex'; SET xmloption = 'content'; SET jit = off; \
    SELECT set_config('client_encoding', \
        CASE current_setting('server_encoding') WHEN 'SQL_ASCII' THEN 'SQL_ASCII' ELSE 'UTF8' END, false)";
