//! Certificates of customers' servers: any bytes as DER. Verification itself is rustls'; this is what is read for dates
//! and names.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pursight_fuzz::{justified, within};

fuzz_target!(|input: &[u8]| {
    within(justified(16 * input.len()), || pursight_connectors::fuzzing::certificate(input));
});
