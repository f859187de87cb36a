//! Which words there are, and which of them are answered. (FourLetterCommands)

use serde::{Deserialize, Serialize};

/// Every word of Apache 3.9, and `hand`, which is ours.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub enum Word {
    Conf,
    Cons,
    Crst,
    Dirs,
    Dump,
    Envi,
    Gtmk,
    Hand,
    Hash,
    Isro,
    Mntr,
    Ruok,
    Srst,
    Srvr,
    Stat,
    Stmk,
    Wchc,
    Wchp,
    Wchs,
}

const WORDS: [(&str, Word); 19] = [
    ("conf", Word::Conf),
    ("cons", Word::Cons),
    ("crst", Word::Crst),
    ("dirs", Word::Dirs),
    ("dump", Word::Dump),
    ("envi", Word::Envi),
    ("gtmk", Word::Gtmk),
    ("hand", Word::Hand),
    ("hash", Word::Hash),
    ("isro", Word::Isro),
    ("mntr", Word::Mntr),
    ("ruok", Word::Ruok),
    ("srst", Word::Srst),
    ("srvr", Word::Srvr),
    ("stat", Word::Stat),
    ("stmk", Word::Stmk),
    ("wchc", Word::Wchc),
    ("wchp", Word::Wchp),
    ("wchs", Word::Wchs),
];

impl Word {
    fn name(self) -> &'static str {
        let listed = WORDS.iter().find(|(_, word)| *word == self);
        listed.expect("each word has a name").0
    }

    /// Its answer grows with the connections, sessions or watches of the server.
    pub fn may_be_long(self) -> bool {
        matches!(self, Word::Cons | Word::Dump | Word::Stat | Word::Wchc | Word::Wchp)
    }

    /// It tells the sizes of directories, which the disk has to be asked for.
    pub fn tells_sizes(self) -> bool {
        matches!(self, Word::Conf | Word::Dirs)
    }
}

/// The word, if it may be answered. `whitelist` is `4lw.commands.whitelist`; `*` in it is all words of
/// Apache's: whoever asks for one of these changes no more than numbers.
/// An error is what is said instead: nothing to a word that nobody knows, as in Apache, which closes
/// the connection in silence.
pub fn admit(word: [u8; 4], whitelist: &[String]) -> Result<Word, String> {
    let known = WORDS.iter().find(|(name, _)| name.as_bytes() == word);
    let Some((name, word)) = known else { return Err(String::new()) };
    let all = if *word == Word::Hand { name } else { "*" };
    if !whitelist.iter().any(|listed| listed == all || listed == name) {
        return Err(format!("{name} is not executed because it is not in the whitelist.\n"));
    }
    Ok(*word)
}

/// What is said instead of a long answer while too much of others is on its way. Apache has no bound
/// on these, and no such sentence.
pub fn is_too_much(word: Word) -> String {
    let name = word.name();
    format!("{name} is not executed because too many answers are on their way.\n")
}
