//! Writes what the command line says about itself: manual pages, and completions for three shells.
//!
//!     cargo run --example pages -- DIR
//!
//! makes DIR/man/quorate.1 and one page a subcommand, and DIR/completions/{quorate.bash,_quorate,quorate.fish}.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap_complete::Shell;

fn main() -> io::Result<()> {
    let Some(dir) = std::env::args_os().nth(1).map(PathBuf::from) else {
        return Err(io::Error::other("where to? pages DIR"));
    };
    write_pages(&dir)
}

fn write_pages(dir: &Path) -> io::Result<()> {
    let (man, completions) = (dir.join("man"), dir.join("completions"));
    fs::create_dir_all(&man)?;
    fs::create_dir_all(&completions)?;
    clap_mangen::generate_to(quorate::cli::command_line(), &man)?;
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        let mut command = quorate::cli::command_line();
        clap_complete::generate_to(shell, &mut command, "quorate", &completions)?;
    }
    Ok(())
}
