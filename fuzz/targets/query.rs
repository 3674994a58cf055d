//! Runs `quadrille_api::fuzz::query` on whatever the fuzzer finds.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| quadrille_api::fuzz::query(data));
