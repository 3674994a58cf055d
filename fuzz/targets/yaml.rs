//! Runs `gateway::fuzz::yaml` on whatever the fuzzer finds.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gateway::fuzz::yaml(data));
