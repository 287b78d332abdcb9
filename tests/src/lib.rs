//! The harness of the end-to-end scenarios: a whole system per test, with its own topics, database and keys, driven the
//! way people drive it (the `pursight` executable, SQL, a Kafka client). Knows nothing of the product's insides.

#![expect(clippy::disallowed_methods, reason = "tests name things at random and read PURSIGHT_TEST_*")]

pub mod canary;
pub mod chaos;
pub mod checks;
pub mod customer;
pub mod database;
pub mod flow;
pub mod history;
pub mod kafka;
pub mod planted;
pub mod positions;
pub mod process;
pub mod proxy;
pub mod servers;
pub mod setting;
pub mod system;
pub mod wait;

pub use customer::Customer;
pub use kafka::Read;
pub use process::Process;
pub use servers::{Broker, Cluster};
pub use system::{Answer, System};
pub use wait::eventually;
