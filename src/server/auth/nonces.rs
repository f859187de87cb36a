//! What a challenge contains that nobody can guess, and that no two challenges share.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// A secret and a counter, hashed. The secret is drawn once, when the server starts, so that a
/// step of the server needs no entropy of its own.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Nonces {
    seed: [u64; 2],
    drawn: u64,
}

impl fmt::Debug for Nonces {
    /// Without the seed: whoever reads a log must not be able to compute the next one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Nonces").field("drawn", &self.drawn).finish_non_exhaustive()
    }
}

impl Nonces {
    /// Every nonce follows from these numbers, so they must be secret: from the machine's entropy.
    pub(super) fn new(seed: [u64; 2]) -> Nonces {
        Nonces { seed, drawn: 0 }
    }

    /// 40 characters, as Java's: none of them needs a quote.
    pub(super) fn draw(&mut self) -> String {
        self.drawn += 1;
        let mut hash = Sha256::new();
        for number in [self.seed[0], self.seed[1], self.drawn] {
            hash.update(number.to_be_bytes());
        }
        STANDARD.encode(&hash.finalize()[..30])
    }
}

#[cfg(test)]
mod tests {
    use super::Nonces;

    #[test]
    fn a_nonce_follows_from_the_seed_and_comes_once() {
        let mut nonces = Nonces::new([1, 2]);
        let (first, second) = (nonces.draw(), nonces.draw());
        assert_eq!(first.len(), 40);
        assert_ne!(first, second);
        assert_eq!(Nonces::new([1, 2]).draw(), first);
        assert_ne!(Nonces::new([1, 3]).draw(), first);
        assert_ne!(Nonces::new([2, 2]).draw(), first);
        assert_eq!(format!("{nonces:?}"), "Nonces { drawn: 2, .. }");
    }
}
