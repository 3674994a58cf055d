//! Runs `quadrille_core::fuzz::coalesce` on whatever the fuzzer finds.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| quadrille_core::fuzz::coalesce(data));
