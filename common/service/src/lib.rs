//! What every process of the product needs: settings, telemetry, health, the clock.

pub mod clock;
