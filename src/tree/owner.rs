//! Who owns a node: what the bits of `ephemeralOwner` mean. (EphemeralType)

use crate::base::SessionId;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Owner {
    Nobody,
    /// Goes when its last child has gone.
    Container,
    /// Goes when it has had no child and no change for so many milliseconds.
    Ttl(i64),
    /// An ephemeral: goes with its session.
    Session(SessionId),
}

impl Owner {
    const CONTAINER_BITS: i64 = i64::MIN;
    /// Above them 16 bits of a feature number; time to live is number 0.
    const TTL_MARK: u64 = 0xff << 56;
    const TTL_VALUE: u64 = 0xff_ffff_ffff;

    pub fn of(bits: i64) -> Owner {
        match bits {
            0 => Owner::Nobody,
            Owner::CONTAINER_BITS => Owner::Container,
            _ if bits as u64 & Owner::TTL_MARK == Owner::TTL_MARK => {
                Owner::Ttl((bits as u64 & Owner::TTL_VALUE) as i64)
            }
            _ => Owner::Session(SessionId(bits)),
        }
    }

    pub fn bits(self) -> i64 {
        match self {
            Owner::Nobody => 0,
            Owner::Container => Owner::CONTAINER_BITS,
            Owner::Ttl(ms) => (Owner::TTL_MARK | (ms as u64 & Owner::TTL_VALUE)) as i64,
            Owner::Session(session) => session.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_survive_their_bits() {
        assert_eq!(Owner::of(0xff00_0000_0000_03e8_u64 as i64), Owner::Ttl(1000));
        assert_eq!(Owner::of(0x8000_0000_0000_0000_u64 as i64), Owner::Container);
        for owner in [
            Owner::Nobody,
            Owner::Container,
            Owner::Ttl(1),
            Owner::Ttl(0xff_ffff_ffff),
            Owner::Session(SessionId(0x0100_0012_d0d1_0000)),
            Owner::Session(SessionId(-0x7eff_ffff_ffff_ffff)),
        ] {
            assert_eq!(Owner::of(owner.bits()), owner);
        }
    }
}
