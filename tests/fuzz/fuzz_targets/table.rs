#![no_main]

// The parquet crate's panics are contained; a hook that ends the process at each would take them for findings.
libfuzzer_sys::fuzz_target!(
    init: std::panic::set_hook(Box::new(|_| ())),
    |bytes: &[u8]| schemas::fuzzing::table(bytes)
);
