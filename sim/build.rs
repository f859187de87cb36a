//! The simulator exists only under `--cfg madsim`, which `.cargo/config.toml` sets.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var_os("CARGO_CFG_MADSIM").is_none() {
        println!(
            "cargo::error=quorate-sim needs `--cfg madsim`: an exported RUSTFLAGS (or another rustflags \
             setting) has replaced the one in .cargo/config.toml; unset it or add `--cfg madsim` to it."
        );
    }
}
