//! The `quorate-sim` command. What it does stands in `cli`.

use std::process::ExitCode;

fn main() -> ExitCode {
    quorate_sim::cli::main()
}
