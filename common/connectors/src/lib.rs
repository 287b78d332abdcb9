//! Customers' databases: everything that talks to a server that is not ours.
//! Owns sessions, the egress policy and the catalog queries; must not know topics, runs or what becomes of an answer.

pub mod postgres;
