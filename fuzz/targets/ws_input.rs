//! Runs `quadrille_edge::ws::fuzz::input` on whatever the fuzzer finds.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| quadrille_edge::ws::fuzz::input(data));
