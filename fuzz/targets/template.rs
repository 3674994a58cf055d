//! Runs `quadrille_tabular::fuzz::template` on whatever the fuzzer finds.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| quadrille_tabular::fuzz::template(data));
