//! Text as Java reads and writes it. (BinaryInputArchive.readString, BinaryOutputArchive.writeString)
//!
//! Reading never fails: what is no UTF-8 becomes U+FFFD, as in Rust but for one thing. The first
//! two or all three bytes of a surrogate (ED A0..BF, 80..BF) are one mistake to Java and one for
//! each byte to Rust.
//!
//! Writing goes by UTF-16 units: a character beyond U+FFFF is two surrogates of three bytes each,
//! which is no UTF-8. Java reads its own writing back as two U+FFFD, and so does this.

use std::borrow::Cow;

/// Any bytes as text.
pub(super) fn text_of(mut bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    loop {
        match std::str::from_utf8(bytes) {
            Ok(rest) => {
                text.push_str(rest);
                return text;
            }
            Err(error) => {
                let (good, bad) = bytes.split_at(error.valid_up_to());
                // The part in front was just found to be UTF-8.
                text.push_str(&String::from_utf8_lossy(good));
                text.push(char::REPLACEMENT_CHARACTER);
                let wrong = error.error_len().unwrap_or(bad.len());
                bytes = &bad[wrong.max(surrogate_bytes(bad))..];
            }
        }
    }
}

/// [`text_of`], without a copy of what is UTF-8.
pub(super) fn borrowed_text_of(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(text_of(bytes)),
    }
}

/// How many bytes of a surrogate stand here.
fn surrogate_bytes(bytes: &[u8]) -> usize {
    match bytes {
        [0xed, 0xa0..=0xbf, 0x80..=0xbf, ..] => 3,
        [0xed, 0xa0..=0xbf, ..] => 2,
        _ => 0,
    }
}

/// Bytes that [`write_text`] makes of this text.
pub(super) fn written_length(text: &str) -> usize {
    // Of a character beyond U+FFFF there are four bytes in a text, and six are written.
    text.len() + 2 * text.bytes().filter(|byte| *byte >= 0xf0).count()
}

/// Nearly every text: there is no longer character in it than of three bytes.
pub(super) fn is_written_as_it_is(text: &[u8]) -> bool {
    text.is_ascii() || text.iter().all(|byte| *byte < 0xf0)
}

pub(super) fn write_text(text: &str, out: &mut Vec<u8>) {
    if is_written_as_it_is(text.as_bytes()) {
        return out.extend_from_slice(text.as_bytes());
    }
    let mut buffer = [0; 4];
    for c in text.chars() {
        if !is_pair(c) {
            out.extend_from_slice(c.encode_utf8(&mut buffer).as_bytes());
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            let [high, low] = unit.to_be_bytes();
            let middle = (high & 0x0f) << 2 | low >> 6;
            out.extend_from_slice(&[0xe0 | high >> 4, 0x80 | middle, 0x80 | low & 0x3f]);
        }
    }
}

fn is_pair(c: char) -> bool {
    c.len_utf16() == 2
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARK: &str = "\u{fffd}";

    #[test]
    fn a_surrogate_is_one_mistake_whole_or_not() {
        assert_eq!(text_of(b"/\xed\xa0\x80"), format!("/{MARK}"));
        assert_eq!(text_of(b"/\xed\xbf"), format!("/{MARK}"));
        assert_eq!(text_of(b"\xed\xa0/"), format!("{MARK}/"));
        assert_eq!(text_of(b"\xed\xa0\xed\xa0\x80"), MARK.repeat(2));
        assert_eq!(text_of(b"\xed\xa0\xbd\xed\xb8\x80"), MARK.repeat(2));
        assert_eq!(text_of(b"\xed\xa0\x80\x80"), MARK.repeat(2));
    }

    #[test]
    fn other_mistakes_are_those_of_rust() {
        for bytes in [
            b"a\xff".as_slice(),
            b"\xc0\x80",
            b"\xe0\x80\x80",
            b"\xe1\x80/",
            b"\xf0\x90\x80",
            b"\xf4\x90\x80\x80",
            b"\xf5\x80",
            b"\xed\x9f\xbf\xed",
            b"\xc3",
        ] {
            assert_eq!(text_of(bytes), String::from_utf8_lossy(bytes), "{bytes:x?}");
        }
    }

    #[test]
    fn a_character_of_two_units_is_written_as_two_surrogates() {
        for (text, bytes) in [
            ("/\u{1f600}x", b"/\xed\xa0\xbd\xed\xb8\x80x".as_slice()),
            ("\u{10000}", b"\xed\xa0\x80\xed\xb0\x80"),
            ("\u{10ffff}", b"\xed\xaf\xbf\xed\xbf\xbf"),
            ("/\u{fc}\u{4e2d}\u{ffff}", "/\u{fc}\u{4e2d}\u{ffff}".as_bytes()),
        ] {
            let mut out = Vec::new();
            write_text(text, &mut out);
            assert_eq!(out, bytes);
            assert_eq!(written_length(text), bytes.len(), "{text}");
        }
    }
}
