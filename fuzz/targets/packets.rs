//! Runs `quadrille_rooms::fuzz::packets` on whatever the fuzzer finds.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| quadrille_rooms::fuzz::packets(data));
