//! Standard output, and what is said beside it.

use std::io::{self, BufWriter, IsTerminal, StdoutLock, Write};

/// Lines come together before they are written: there may be millions.
pub(super) struct Output {
    to: BufWriter<Box<dyn Write>>,
    /// Nobody sees it grow.
    is_hidden: bool,
}

impl Output {
    pub(super) fn standard() -> Output {
        let stdout: StdoutLock<'static> = io::stdout().lock();
        let is_hidden = !stdout.is_terminal();
        Output { to: BufWriter::new(Box::new(stdout)), is_hidden }
    }

    /// For what is read a second time: its bar was shown already.
    pub(super) fn nowhere() -> Output {
        Output { to: BufWriter::with_capacity(0, Box::new(io::sink())), is_hidden: false }
    }

    /// Whether a bar that shows progress disturbs nobody.
    pub(super) fn leaves_room_for_a_bar(&self) -> bool {
        self.is_hidden && io::stderr().is_terminal()
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.to.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// "1 transaction", "2 transactions".
pub(super) fn counted(number: u64, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// A line on standard error. If that is closed, nobody wants to hear it.
pub(super) fn complain(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}
