//! What is said when this program panics: one sentence, and an exit code that tells who is at
//! fault. A run takes panics of the simulated world for what they are by itself.

use std::panic::{self, PanicHookInfo};
use std::process;

use quorate::base::Broken;

/// How the standard library begins what it says when `println!` cannot print.
const UNPRINTED: &str = "failed printing to stdout: ";

/// For commands that simulate nothing themselves.
pub(super) fn told() {
    panic::set_hook(Box::new(|info| {
        unprinted(info);
        let at =
            info.location().map_or(String::new(), |at| format!(", {}:{}", at.file(), at.line()));
        eprintln!("quorate-sim itself failed{at}: {}", words(info));
        process::exit(3);
    }));
}

/// While a world is simulated: whatever panics in it belongs to the verdict.
pub(super) fn left_to_the_verdict() {
    panic::set_hook(Box::new(unprinted));
}

/// Output that cannot be written ends the program. Where nobody reads it any more (`| head`),
/// nothing needs to be said.
fn unprinted(info: &PanicHookInfo<'_>) {
    let Some(error) = words(info).strip_prefix(UNPRINTED) else { return };
    if !error.starts_with("Broken pipe") {
        eprintln!("the output cannot be written: {error}");
    }
    process::exit(2);
}

fn words<'a>(info: &'a PanicHookInfo<'_>) -> &'a str {
    let broken = info.payload().downcast_ref::<Broken>().map(|broken| broken.what.as_str());
    broken.or(info.payload_as_str()).unwrap_or("without words")
}
