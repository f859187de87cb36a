//! A line of the shell as words.      (ZooKeeperMain.MyCommandOptions.parseCommand)
//!
//! A word ends at white space. One that begins with a quote, single or double, ends at the next of its
//! kind and may be empty; there are no escapes, and a quote inside a word is a character like any other.

/// The words of a line; where a quote begins that has no end, counted from 1.
pub(super) fn words(line: &str) -> Result<Vec<String>, usize> {
    let mut words = Vec::new();
    let mut rest = line.trim_start();
    while let Some(first) = rest.chars().next() {
        let (word, behind) = match first {
            '"' | '\'' => {
                let Some(end) = rest[1..].find(first) else {
                    return Err(line[..line.len() - rest.len()].chars().count() + 1);
                };
                (&rest[1..=end], &rest[end + 2..])
            }
            _ => rest.split_at(rest.find(char::is_whitespace).unwrap_or(rest.len())),
        };
        words.push(word.to_owned());
        rest = behind.trim_start();
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_cut_as_apache_cuts_it() {
        for (line, expected) in [
            ("", &[][..]),
            ("  ls  / ", &["ls", "/"]),
            ("create /a 'b c'", &["create", "/a", "b c"]),
            ("create /a \"it's\" x", &["create", "/a", "it's", "x"]),
            ("create /a ''", &["create", "/a", ""]),
            ("set /a b\"c d", &["set", "/a", "b\"c", "d"]),
            ("set /a 'b''c'", &["set", "/a", "b", "c"]),
        ] {
            assert_eq!(words(line).expect("whole"), expected, "{line}");
        }
        assert_eq!(words("ls \u{e4} '/a b"), Err(6));
    }
}
