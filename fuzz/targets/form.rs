//! Runs `quadrille_core::rest::form::fuzz::form` on whatever the fuzzer finds.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| quadrille_core::rest::form::fuzz::form(data));
