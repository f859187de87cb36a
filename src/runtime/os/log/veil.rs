//! What of a trace is nobody's business: the bytes of clients, and who they have proven to be.
//!
//! Inputs and outputs of the pump print as `Debug` does. A frame may be a password on its way, so
//! of byte strings (`b"..."`) only the fact remains, and so it is with the ids of schemes
//! (`id: "..."`), which with digest are what a password can be guessed by.

use std::fmt::{self, Display, Write};

/// Prints as what is inside, with the secrets veiled.
pub(in crate::runtime::os) struct Veiled<'a>(pub(in crate::runtime::os) &'a dyn Display);

impl Display for Veiled<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Veil { out: f, last: ['\0'; 4], literal: None }, "{}", self.0)
    }
}

struct Veil<'a, 'b> {
    out: &'a mut fmt::Formatter<'b>,
    /// The last characters outside of literals.
    last: [char; 4],
    literal: Option<Literal>,
}

/// Within the quotes of a string.
#[derive(Clone, Copy)]
struct Literal {
    is_veiled: bool,
    /// The next character is escaped.
    is_escaped: bool,
}

impl Write for Veil<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.chars().try_for_each(|c| self.write_char(c))
    }

    fn write_char(&mut self, c: char) -> fmt::Result {
        match &mut self.literal {
            None if c == '"' => {
                let [.., before, last] = self.last;
                let are_bytes = last == 'b' && !before.is_alphanumeric() && before != '_';
                let is_veiled = are_bytes || self.last == ['i', 'd', ':', ' '];
                self.literal = Some(Literal { is_veiled, is_escaped: false });
                self.out.write_str(if is_veiled { "\"..." } else { "\"" })
            }
            None => {
                self.last.rotate_left(1);
                self.last[3] = c;
                self.out.write_char(c)
            }
            Some(literal) => {
                let ends = c == '"' && !literal.is_escaped;
                literal.is_escaped = c == '\\' && !literal.is_escaped;
                let shows = ends || !literal.is_veiled;
                if ends {
                    self.literal = None;
                }
                if shows { self.out.write_char(c) } else { Ok(()) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::base::ConnId;
    use crate::jute::data::Id;

    fn veiled(value: &dyn fmt::Debug) -> String {
        Veiled(&format_args!("< {value:?}")).to_string()
    }

    #[test]
    fn bytes_and_ids_are_veiled_and_the_rest_stands_as_it_was() {
        let frame = (ConnId(7), Bytes::from_static(b"bob:\"pass\\word\""), "path: b\"x\"");
        let shown = veiled(&frame);
        assert_eq!(shown, r#"< (conn7, b"...", "path: b\"x\"")"#, "{frame:?}");
        let id = Id { scheme: "digest".into(), id: "bob:aGFzaA==".into() };
        assert_eq!(veiled(&id), r#"< Id { scheme: "digest", id: "..." }"#);
        let two = (Some(Bytes::from_static(b"\\")), Bytes::new(), "end");
        assert_eq!(veiled(&two), r#"< (Some(b"..."), b"...", "end")"#);
    }
}
