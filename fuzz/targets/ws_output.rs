//! Runs `quadrille_edge::ws::fuzz::output` on whatever the fuzzer finds.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| quadrille_edge::ws::fuzz::output(data));
