#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| piwheels::fuzz::run("config_file", data));
