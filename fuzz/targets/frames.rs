//! Runs `quadrille_broker::fuzz::frames` on whatever the fuzzer finds.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| quadrille_broker::fuzz::frames(data));
