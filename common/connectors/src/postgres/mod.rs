//! PostgreSQL as a customer's database: connecting, sessions, the connection test. Knows the protocol's ways and the
//! rights of the engine; the catalog is read by its own module.

pub mod catalog;
mod connect;
mod errors;
mod near;
mod quote;
mod reach;
mod rights;
mod session;
pub mod statistics;
mod test;

#[cfg(fuzzing)]
pub(crate) mod fuzzing {
    //! What the doors for fuzzing lead to.
    pub(crate) use super::errors::{Login, login_problem};
    pub use super::near::nearest;
}

pub use connect::SessionOptions;
pub use errors::statement_problem;
pub use quote::{identifier, literal};
pub use session::{Counts, PgSession};
pub use test::{TEST_BUDGET, TestReport};
