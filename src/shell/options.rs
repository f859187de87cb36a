//! The options of a command, as Apache's library for them takes them. (commons-cli DefaultParser)
//!
//! They stand anywhere among the other words, until `--`: `-s`, `-v 3`, `-v3`, `-v=3`, `-sw`. A value may
//! be a negative number. Not here: cutting a line into words (`words.rs`).

use std::collections::BTreeMap;

/// One option of a command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Opt {
    /// Without the hyphen: a letter or a word.
    pub(super) name: &'static str,
    pub(super) has_value: bool,
    pub(super) help: &'static str,
}

impl Opt {
    pub(super) const fn flag(name: &'static str, help: &'static str) -> Opt {
        Opt { name, has_value: false, help }
    }

    pub(super) const fn value(name: &'static str, help: &'static str) -> Opt {
        Opt { name, has_value: true, help }
    }
}

/// What was given to a command.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Given {
    options: BTreeMap<&'static str, String>,
    /// Behind the command's name.
    pub(super) words: Vec<String>,
}

impl Given {
    pub(super) fn has(&self, name: &str) -> bool {
        self.options.contains_key(name)
    }

    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.options.get(name).map(String::as_str)
    }

    pub(super) fn set(&mut self, name: &'static str) {
        self.options.insert(name, String::new());
    }

    /// The words behind the name of a command, its options taken out. An error is the text that
    /// commons-cli has for it.
    pub(super) fn of(words: &[String], known: &[Opt]) -> Result<Given, String> {
        let mut given = Given::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            if word == "--" {
                given.words.extend(words.by_ref().cloned());
            } else if word.starts_with('-') && word != "-" {
                let Some((option, value)) = given.take(word, known)? else { continue };
                let value = match value {
                    Some(value) => value,
                    None => words
                        .next()
                        .filter(|next| !is_option(next, known))
                        .cloned()
                        .ok_or_else(|| {
                            format!(
                                "MissingArgumentException: Missing argument for option: {option}"
                            )
                        })?,
                };
                given.options.insert(option, value);
            } else {
                given.words.push(word.clone());
            }
        }
        Ok(given)
    }

    /// Takes the flags of a word. The answer is the option of it that has a value, and the value if it
    /// stands in the word.
    fn take(
        &mut self,
        word: &str,
        known: &[Opt],
    ) -> Result<Option<(&'static str, Option<String>)>, String> {
        let unknown = || format!("UnrecognizedOptionException: Unrecognized option: {word}");
        let name = word.trim_start_matches('-');
        if let Some(option) = find(name, known) {
            if option.has_value {
                return Ok(Some((option.name, None)));
            }
            self.set(option.name);
            return Ok(None);
        }
        if let Some((name, value)) = name.split_once('=')
            && let Some(option) = find(name, known).filter(|option| option.has_value)
        {
            return Ok(Some((option.name, Some(value.to_owned()))));
        }
        // Letters behind one another, the last of them perhaps with its value.
        for (at, letter) in name.char_indices() {
            let behind = &name[at + letter.len_utf8()..];
            let option = find(&name[at..at + letter.len_utf8()], known).ok_or_else(unknown)?;
            if option.has_value {
                return Ok(Some((option.name, Some(behind.to_owned()).filter(|v| !v.is_empty()))));
            }
            self.set(option.name);
        }
        Ok(None)
    }
}

fn find<'a>(name: &str, known: &'a [Opt]) -> Option<&'a Opt> {
    known.iter().find(|option| option.name == name)
}

/// Whether a word is no value: `-5` is one, unless there is such an option.
fn is_option(word: &str, known: &[Opt]) -> bool {
    let Some(name) = word.strip_prefix('-').filter(|name| !name.is_empty()) else { return false };
    let first = name.chars().next().map_or(0, char::len_utf8);
    find(name, known).is_some() || find(&name[..first], known).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [Opt; 4] =
        [Opt::flag("s", ""), Opt::flag("w", ""), Opt::value("v", ""), Opt::value("members", "")];

    fn given(line: &str) -> Result<Given, String> {
        let words: Vec<String> = line.split_whitespace().map(String::from).collect();
        Given::of(&words, &KNOWN)
    }

    #[test]
    fn options_stand_anywhere_and_in_every_spelling() {
        for line in ["-s -w -v 3 /a b", "/a -sw b -v=3", "/a b -swv3", "-s -w /a -v3 b"] {
            let given = given(line).expect("well-formed");
            assert!(given.has("s") && given.has("w"), "{line}");
            assert_eq!(
                (given.value("v"), &given.words[..]),
                (Some("3"), &["/a".into(), "b".into()][..])
            );
        }
        assert_eq!(given("-v -1 /a").expect("a number").value("v"), Some("-1"));
        assert_eq!(given("-members=a,b").expect("long").value("members"), Some("a,b"));
        assert_eq!(given("/a -- -s").expect("no option").words, ["/a", "-s"]);
        assert_eq!(given("/a -").expect("a word").words, ["/a", "-"]);
    }

    #[test]
    fn what_is_wrong_is_told_in_apache_s_words() {
        let told = |line: &str| given(line).expect_err("refused");
        assert_eq!(told("-x /a"), "UnrecognizedOptionException: Unrecognized option: -x");
        assert_eq!(told("/a -v"), "MissingArgumentException: Missing argument for option: v");
        assert_eq!(told("-v -s /a"), "MissingArgumentException: Missing argument for option: v");
        assert_eq!(told("/a -5"), "UnrecognizedOptionException: Unrecognized option: -5");
    }
}
