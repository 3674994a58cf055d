//! Runs `quadrille_edge::http::origins::fuzz::origin` on whatever the fuzzer finds.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| quadrille_edge::http::origins::fuzz::origin(data));
