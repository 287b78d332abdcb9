//! PostgreSQL as a customer's database.
//! Owns the statements that are sent to it; must not know why they are asked.

pub mod catalog;
