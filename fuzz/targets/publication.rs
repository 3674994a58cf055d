//! Runs `quadrille_api::fuzz::publication` on whatever the fuzzer finds.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| quadrille_api::fuzz::publication(data));
