//! Runs `quadrille_identity::fuzz::tokens` on whatever the fuzzer finds.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| quadrille_identity::fuzz::tokens(data));
