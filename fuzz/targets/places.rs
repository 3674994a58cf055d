//! Runs `quadrille_edge::http::token::fuzz::places` on whatever the fuzzer finds.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| quadrille_edge::http::token::fuzz::places(data));
