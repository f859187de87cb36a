//! How often a server may be asked for nodes and sessions: twenty times a second over time, and forty
//! times at once, by all who ask together. A proof that proves nothing costs as much as ten questions, so
//! that passwords are not tried out.

use std::time::Duration;

use crate::base::Mono;

/// So much may be used at once.
const AT_ONCE: Duration = Duration::from_secs(2);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cost {
    Question,
    WrongProof,
}

impl Cost {
    fn time(self) -> Duration {
        Duration::from_millis(match self {
            Cost::Question => 50,
            Cost::WrongProof => 500,
        })
    }
}

/// What is left to be used.
#[derive(Clone, Copy, Debug, Default)]
pub struct Allowance {
    /// When all of it is there again.
    full_at: Mono,
}

impl Allowance {
    /// Takes so much, if anything is left.
    pub fn take(&mut self, now: Mono, cost: Cost) -> bool {
        let is_left = self.full_at < now + AT_ONCE;
        if is_left {
            self.full_at = self.full_at.max(now) + cost.time();
        }
        is_left
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many are answered at this moment.
    fn taken(allowance: &mut Allowance, ms: u64, cost: Cost) -> usize {
        (0..1000).filter(|_| allowance.take(Mono::from_millis(ms), cost)).count()
    }

    #[test]
    fn forty_questions_at_once_and_twenty_a_second() {
        let mut allowance = Allowance::default();
        assert_eq!(taken(&mut allowance, 100_000, Cost::Question), 40);
        assert_eq!(taken(&mut allowance, 101_000, Cost::Question), 20);
        assert_eq!(taken(&mut allowance, 200_000, Cost::WrongProof), 4);
        assert_eq!(taken(&mut allowance, 201_000, Cost::WrongProof), 2);
    }
}
