//! The target that PIW_FUZZ_TARGET names: one program to link for all of them.

#![no_main]

use std::sync::LazyLock;

static NAME: LazyLock<String> =
    LazyLock::new(|| std::env::var("PIW_FUZZ_TARGET").expect("PIW_FUZZ_TARGET names a target"));

libfuzzer_sys::fuzz_target!(|data: &[u8]| piwheels::fuzz::run(&NAME, data));
