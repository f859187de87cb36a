//! SHA-256 as a backup writes it: 64 hex digits. (FIPS 180-4)

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

pub(super) fn sha256_hex(content: &[u8]) -> String {
    let mut sum = Sum::default();
    sum.add(content);
    sum.hex()
}

/// Of bytes that come one after another.
#[derive(Default)]
pub(super) struct Sum(Sha256);

impl Sum {
    pub(super) fn add(&mut self, content: &[u8]) {
        self.0.update(content);
    }

    pub(super) fn hex(self) -> String {
        let mut text = String::with_capacity(64);
        for byte in self.0.finalize() {
            let _ = write!(text, "{byte:02x}");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_sum_of_the_standard() {
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256_hex(b"abc"), abc);
        let mut sum = Sum::default();
        sum.add(b"a");
        sum.add(b"bc");
        assert_eq!(sum.hex(), abc);
    }
}
