//! Runs `quadrille_core::auth::fuzz::patterns` on whatever the fuzzer finds.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| quadrille_core::auth::fuzz::patterns(data));
