//! The `quorate` program.

fn main() {
    std::process::exit(quorate::cli::run(|config| {
        eprintln!("server {}: not wired", config.my_id);
        1
    }));
}
