//! Words of a timeline line, each with its place in the line.
//!
//! Words are separated by blanks; `,` `;` `|` `->` stand by themselves.

use std::time::Duration;

use quorate::base::Zxid;

/// A word and the byte at which it begins in its line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word<'a> {
    pub text: &'a str,
    pub at: usize,
}

/// A mistake inside one string value: where in it, and what should stand there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    pub at: usize,
    pub message: String,
}

impl Mistake {
    pub fn new(at: usize, message: impl Into<String>) -> Mistake {
        Mistake { at, message: message.into() }
    }
}

/// The words of one line, read from left to right.
#[derive(Clone, Debug)]
pub struct Words<'a> {
    words: Vec<Word<'a>>,
    next: usize,
    end: usize,
}

impl<'a> Words<'a> {
    pub fn of(line: &'a str) -> Words<'a> {
        let mut words = Vec::new();
        let mut rest = line;
        let mut at = 0;
        loop {
            let blanks = rest.len() - rest.trim_start().len();
            at += blanks;
            rest = &rest[blanks..];
            let Some(len) = word_len(rest) else { break };
            words.push(Word { text: &rest[..len], at });
            at += len;
            rest = &rest[len..];
        }
        Words { words, next: 0, end: line.trim_end().len() }
    }

    pub fn peek(&self) -> Option<&'a str> {
        self.words.get(self.next).map(|word| word.text)
    }

    pub fn take_next(&mut self) -> Option<Word<'a>> {
        let word = self.words.get(self.next).copied();
        self.next += usize::from(word.is_some());
        word
    }

    /// Takes the next word if it is this one.
    pub fn take(&mut self, text: &str) -> bool {
        let found = self.peek() == Some(text);
        self.next += usize::from(found);
        found
    }

    /// Where the next word begins, or the end of the line.
    pub fn at(&self) -> usize {
        self.words.get(self.next).map_or(self.end, |word| word.at)
    }

    pub fn expected(&self, what: &str) -> Mistake {
        let found = match self.peek() {
            Some(word) => format!("found `{word}`"),
            None => "the line ends".to_owned(),
        };
        Mistake::new(self.at(), format!("expected {what}, {found}"))
    }
}

fn word_len(rest: &str) -> Option<usize> {
    if rest.is_empty() {
        return None;
    }
    if rest.starts_with("->") {
        return Some(2);
    }
    if rest.starts_with([',', ';', '|']) {
        return Some(1);
    }
    let end = rest
        .char_indices()
        .find(|(i, c)| {
            c.is_whitespace() || [',', ';', '|'].contains(c) || rest[*i..].starts_with("->")
        })
        .map_or(rest.len(), |(i, _)| i);
    Some(end)
}

/// `150us`, `5ms`, `2s`, `1.5s`, `3m`, `1h`.
pub fn duration(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let nanos: u64 = match unit {
        "us" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    };
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let mut total = whole.parse::<u64>().ok()?.checked_mul(nanos)?;
    let mut scale = nanos;
    for digit in part.chars() {
        scale /= 10;
        total = total.checked_add(u64::from(digit.to_digit(10)?) * scale)?;
    }
    Some(Duration::from_nanos(total))
}

/// `5ms` or `1ms..5ms`.
pub fn duration_range(text: &str) -> Option<(Duration, Duration)> {
    match text.split_once("..") {
        None => duration(text).map(|one| (one, one)),
        Some((from, to)) => {
            let (from, to) = (duration(from.trim())?, duration(to.trim())?);
            (from <= to).then_some((from, to))
        }
    }
}

/// `0x200000009`.
pub fn zxid(text: &str) -> Option<Zxid> {
    i64::from_str_radix(text.strip_prefix("0x")?, 16).ok().map(Zxid)
}

/// A duration as [`duration`] reads it.
pub fn show_duration(value: Duration) -> String {
    let nanos = value.as_nanos();
    let (unit, name) = match nanos {
        0 => return "0s".into(),
        n if n % 1_000_000_000 == 0 => (1_000_000_000, "s"),
        n if n % 1_000_000 == 0 => (1_000_000, "ms"),
        _ => (1_000, "us"),
    };
    format!("{}{name}", nanos / unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_keep_their_places() {
        let mut words = Words::of("10s  cut 1 2|3");
        let mut seen = Vec::new();
        while let Some(word) = words.take_next() {
            seen.push((word.at, word.text));
        }
        assert_eq!(seen, [(0, "10s"), (5, "cut"), (9, "1"), (11, "2"), (12, "|"), (13, "3")]);
    }

    #[test]
    fn durations_have_units_and_fractions() {
        assert_eq!(duration("1.5s"), Some(Duration::from_millis(1500)));
        assert_eq!(duration("250us"), Some(Duration::from_micros(250)));
        assert_eq!(duration("10"), None);
        assert_eq!(duration("1.x5s"), None);
    }

    #[test]
    fn a_shown_duration_reads_back() {
        for text in ["0s", "12345us", "7ms", "90s", "1500ms"] {
            let value = duration(text).expect("a duration");
            assert_eq!(duration(&show_duration(value)), Some(value));
        }
    }
}
