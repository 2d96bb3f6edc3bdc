#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| piwheels::fuzz::run("durations_and_sizes", data));
