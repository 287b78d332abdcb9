//! What every process of the product needs and no worker is about: settings, telemetry, health, life cycle, the clock.
//! Must not know any worker, topic or table. Next: [`Settings`], [`Lifecycle`], [`health::Health`].
#![doc = include_str!("../README.md")]

pub mod clock;
pub mod core_files;
pub mod health;
pub mod lifecycle;
pub mod metrics;
pub mod settings;
pub mod telemetry;

pub use health::Health;
pub use lifecycle::Lifecycle;
pub use settings::{Settings, SettingsError};
