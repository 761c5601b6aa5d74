//! The `hubferry` command.

use std::process::ExitCode;

/// A worker allocates a few dozen small blocks per event, on one thread, and frees them on another: with the system's
/// allocator that costs a quarter of its time.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    hubferry::cli::main()
}
