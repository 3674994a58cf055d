//! Runs `quadrille_socketio::fuzz::packets` on whatever the fuzzer finds.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| quadrille_socketio::fuzz::packets(data));
