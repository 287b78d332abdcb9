//! One file per table: its row, and the statements that write and load whole batches of rows. No retry, no batching, no
//! decision in here; transactions are begun by the caller.

pub mod audit;
pub(crate) mod column;
pub mod command;
pub mod connection_test;
pub mod data_source;
pub mod data_source_change;
pub mod dead_letter;
pub mod favorite;
pub mod object_statistics;
pub mod run;
pub mod schema_change;
pub mod schema_column;
pub mod schema_constraint;
pub mod schema_index;
pub mod schema_object;
pub mod source_statistics;
pub mod work_item;
