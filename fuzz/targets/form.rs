//! Runs `quadrille_edge::http::form::fuzz::form` on whatever the fuzzer finds.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| quadrille_edge::http::form::fuzz::form(data));
