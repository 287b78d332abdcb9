//! Discovery: what is in a customer's database, and what changed since last time.

pub mod content;
pub mod diff;
pub mod echo;
pub mod hash;
pub mod versions;
