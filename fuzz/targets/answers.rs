//! Runs `quadrille_agents::fuzz::answers` on whatever the fuzzer finds.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| quadrille_agents::fuzz::answers(data));
