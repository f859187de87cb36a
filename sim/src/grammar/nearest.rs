//! What to say of a word that is not known: which one was probably meant, and which there are.

/// Says that a word is not known, which one was probably meant, and which there are.
pub fn unknown_word(what: &str, word: &str, known: &[&str]) -> String {
    let mut message = format!("unknown {what} `{word}`");
    if let Some(nearest) = nearest(word, known) {
        message.push_str(&format!(", did you mean `{nearest}`?"));
    }
    if !known.is_empty() {
        message.push_str(&format!(" (expected one of: {})", known.join(", ")));
    }
    message
}

/// The known word that takes the fewest edits to reach, if these are few.
fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    known
        .iter()
        .map(|candidate| (distance(word, candidate), *candidate))
        .min()
        .filter(|(edits, candidate)| *edits <= candidate.chars().count().max(3) / 2)
        .map(|(_, candidate)| candidate)
}

/// Levenshtein's distance.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let above = row[j + 1];
            let change = diagonal + usize::from(ca != *cb);
            row[j + 1] = change.min(above + 1).min(row[j] + 1);
            diagonal = above;
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_told_if_it_is_near() {
        assert_eq!(nearest("strat", &["start", "stop"]), Some("start"));
        assert_eq!(nearest("xyzxyz", &["start", "stop"]), None);
    }
}
