//! The `hubferry` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    hubferry::cli::main()
}
