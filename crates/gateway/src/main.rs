//! The program `quadrille`.
use std::process::ExitCode;

/// A fifth of the time of a question over HTTP went into the allocator of the C library.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    gateway::main()
}
