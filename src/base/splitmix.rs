//! splitmix64: from one number to others that look random. (Steele, Lea, Flood: OOPSLA 2014)

/// By how much the state grows for each number.
const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

/// The next number of a sequence.
pub fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(GAMMA);
    finish(*state)
}

/// A hash of one number. Of several: mix the hash so far, combined with the next one.
pub fn mix(number: u64) -> u64 {
    finish(number.wrapping_add(GAMMA))
}

/// What mixes: every bit of the number reaches every bit of the result. 0 stays 0.
pub fn finish(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_is_that_of_the_paper() {
        let mut state = 0;
        let first = [next(&mut state), next(&mut state), next(&mut state)];
        assert_eq!(first, [0xe220_a839_7b1d_cdaf, 0x6e78_9e6a_a1b9_65f4, 0x06c4_5d18_8009_454f]);
        assert_eq!(mix(0), first[0]);
    }
}
