//! The password of a session: a pure function of its id. (ZooKeeperServer.generatePasswd)
//!
//! A client shows it when it reconnects, to whichever server it finds: all must compute the
//! same. It keeps honest clients apart and is no secret from anybody who knows an id.

use crate::base::SessionId;

const SUPER_SECRET: i64 = 0xb341_5c00;

/// The linear congruential generator of java.util.Random: 48 bits of state, the top 32 shown.
struct JavaRandom(u64);

impl JavaRandom {
    const MULTIPLIER: u64 = 0x5_deec_e66d;
    const MASK: u64 = (1 << 48) - 1;

    fn new(seed: i64) -> JavaRandom {
        JavaRandom((seed as u64 ^ Self::MULTIPLIER) & Self::MASK)
    }

    fn next_int(&mut self) -> i32 {
        self.0 = self.0.wrapping_mul(Self::MULTIPLIER).wrapping_add(0xb) & Self::MASK;
        (self.0 >> 16) as i32
    }
}

/// The 16 bytes that prove the ownership of a session.
pub fn password(session: SessionId) -> [u8; 16] {
    let mut random = JavaRandom::new(session.0 ^ SUPER_SECRET);
    let mut bytes = [0; 16];
    for word in bytes.chunks_exact_mut(4) {
        word.copy_from_slice(&random.next_int().to_le_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn passwords_are_those_of_a_real_zookeeper() {
        for (id, want) in [
            (0x0100_0012_d0d1_0000, "152021db7eb8dea57b8dbeb9f70745f6"),
            (0x0100_0012_d0d1_0008, "ae28f2da7e15d9cc25a5f814944ee95e"),
            (0x0100_0000_0000_0123, "2819f64f006f5ce597cad99038a8cff9"),
            (0x1, "054cc74a37327db215e702e20c73f005"),
            (0x0200_0000_0000_0000, "f22acd4a97e69d6d20a49bb638eadb38"),
        ] {
            assert_eq!(hex(&password(SessionId(id))), want, "{id:x}");
        }
    }
}
