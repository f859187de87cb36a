//! What is typed while an ensemble runs: a server's number and a letter, as in `2k`.

use std::io::{self, IsTerminal};

use rustix::process::getpgrp;
use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetpgrp, tcsetattr,
};

pub(super) const HELP: &str = "Keys: 2k kills server 2, 2p pauses or resumes it, 2r starts it again, \
2i cuts it off or joins it again; o opens the page, q ends the ensemble.";

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Key {
    Kill(u16),
    /// Or resume.
    Pause(u16),
    Restart(u16),
    /// Or join again.
    Isolate(u16),
    Open,
    Help,
    Quit,
}

/// Digits that wait for their letter.
#[derive(Default)]
pub(super) struct Typed {
    digits: String,
}

impl Typed {
    /// What this byte completes. The error is for the one who typed.
    pub(super) fn take(&mut self, byte: u8) -> Option<Result<Key, String>> {
        if byte.is_ascii_digit() {
            // More would be no server's number.
            self.digits.truncate(2);
            self.digits.push(char::from(byte));
            return None;
        }
        let digits = std::mem::take(&mut self.digits);
        let of_server = |key: fn(u16) -> Key| match digits.parse() {
            Ok(number) => Ok(key(number)),
            Err(_) => Err(format!("Which server? Type its number first, as in 2{}", byte as char)),
        };
        Some(match byte {
            b'k' => of_server(Key::Kill),
            b'p' => of_server(Key::Pause),
            b'r' => of_server(Key::Restart),
            b'i' => of_server(Key::Isolate),
            b'o' => Ok(Key::Open),
            b'h' | b'?' => Ok(Key::Help),
            // Ctrl-D, too.
            b'q' | 4 => Ok(Key::Quit),
            _ if byte.is_ascii_whitespace() => return None,
            _ => Err(HELP.into()),
        })
    }
}

/// A terminal that hands over each key at once and does not show it. As it was when this is dropped.
pub(super) struct Terminal {
    before: Termios,
}

impl Terminal {
    /// `None` without a terminal, or in the background of one.
    pub(super) fn take() -> Option<Terminal> {
        let stdin = io::stdin();
        let is_ours = stdin.is_terminal() && io::stdout().is_terminal();
        if !is_ours || tcgetpgrp(&stdin).ok()? != getpgrp() {
            return None;
        }
        let before = tcgetattr(&stdin).ok()?;
        let mut now = before.clone();
        now.local_modes -= LocalModes::ICANON | LocalModes::ECHO;
        // Ctrl-Z would stop the links between the servers, and leave the terminal so.
        now.special_codes[SpecialCodeIndex::VSUSP] = 0;
        tcsetattr(&stdin, OptionalActions::Now, &now).ok()?;
        Some(Terminal { before })
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(text: &str) -> Vec<Result<Key, String>> {
        let mut typed = Typed::default();
        text.bytes().filter_map(|byte| typed.take(byte)).collect()
    }

    #[test]
    fn a_number_belongs_to_the_letter_behind_it() {
        assert_eq!(
            typed("2k12p\n3\n1i\no"),
            [Ok(Key::Kill(2)), Ok(Key::Pause(12)), Ok(Key::Isolate(1)), Ok(Key::Open)]
        );
    }

    #[test]
    fn a_letter_without_its_number_is_asked_for_it() {
        let [Err(problem)] = &typed("3\nk")[..] else { panic!("the line end forgot the number") };
        assert!(problem.ends_with("2k"), "{problem}");
    }

    #[test]
    fn any_other_key_tells_what_there_is() {
        assert_eq!(typed("x"), [Err(HELP.to_owned())]);
    }
}
