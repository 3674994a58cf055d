//! Runs `quadrille_core::fuzz::slices` on whatever the fuzzer finds.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| quadrille_core::fuzz::slices(data));
