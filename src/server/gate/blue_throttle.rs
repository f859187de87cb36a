//! A token bucket for new and renewed sessions. (BlueThrottle)
//!
//! Each ConnectRequest takes a token, or several where kinds of sessions weigh differently; without
//! them it is turned away by closing its connection. Tokens come back over time.
//!
//! With `connection_throttle_freeze_time` some are turned away at random before that, more of them as
//! long as the bucket is found empty: clients that keep coming late would starve otherwise.
//!
//! Off (no tokens at all) by default.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::{Mono, splitmix};
use crate::config::ConnectionThrottle;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct BlueThrottle {
    tokens_max: u64,
    fill_time: Duration,
    fill_count: u64,
    tokens: u64,
    filled: Mono,

    freeze_time: Option<Duration>,
    adapted: Mono,
    drop_increase: f64,
    drop_decrease: f64,
    /// With no more tokens than that missing, fewer are turned away.
    decrease_point: u64,
    drop_chance: f64,

    new_weight: u64,
    renew_weight: u64,
    /// State of a [`splitmix`].
    random: u64,
}

impl BlueThrottle {
    /// Begins anew with other limits.
    pub(super) fn set_limits(&mut self, config: &ConnectionThrottle, local_sessions: bool) {
        *self = BlueThrottle::new(config, local_sessions, self.random);
    }

    /// `seed`: random bits, for whom to turn away.
    pub(super) fn new(
        config: &ConnectionThrottle,
        local_sessions: bool,
        seed: u64,
    ) -> BlueThrottle {
        let or_default = |weight: u32, default| if weight == 0 { default } else { weight };
        let local = or_default(config.local_weight, 1);
        let global = or_default(config.global_weight, 3).max(local);
        let renew = or_default(config.renew_weight, 2).max(local);
        let (scale, new_weight, renew_weight) = if config.weighted {
            (global, if local_sessions { local } else { global }, renew)
        } else {
            (1, 1, 1)
        };
        // Tokens are given in terms of global sessions.
        let tokens_max = u64::from(config.tokens_max) * u64::from(scale);
        BlueThrottle {
            tokens_max,
            fill_time: config.fill_time.max(Duration::from_millis(1)),
            fill_count: u64::from(config.fill_count) * u64::from(scale),
            tokens: tokens_max,
            filled: Mono(0),
            freeze_time: config.freeze_time,
            adapted: Mono(0),
            drop_increase: config.drop_increase,
            drop_decrease: config.drop_decrease,
            decrease_point: (tokens_max as f64 * config.decrease_ratio).round() as u64,
            drop_chance: 0.0,
            new_weight: new_weight.into(),
            renew_weight: renew_weight.into(),
            random: seed,
        }
    }

    /// Whether a session may begin, or go on here, now.
    pub(super) fn check_limit(&mut self, now: Mono, is_new: bool) -> bool {
        if self.tokens_max == 0 {
            return true;
        }
        self.fill(now);
        if self.freeze_time.is_some_and(|freeze_time| !self.check_blue(now, freeze_time)) {
            return false;
        }
        let need = if is_new { self.new_weight } else { self.renew_weight };
        if self.tokens < need {
            return false;
        }
        self.tokens -= need;
        true
    }

    /// Tokens that are missing.
    pub(super) fn deficit(&self) -> u64 {
        self.tokens_max - self.tokens
    }

    pub(super) fn drop_chance(&self) -> f64 {
        self.drop_chance
    }

    fn fill(&mut self, now: Mono) {
        let since = now.since(self.filled);
        if since > self.fill_time {
            let refill =
                since.as_millis() * u128::from(self.fill_count) / self.fill_time.as_millis().max(1);
            let refill = u64::try_from(refill).unwrap_or(u64::MAX);
            self.tokens = self.tokens.saturating_add(refill).min(self.tokens_max);
            self.filled = now;
        }
    }

    fn check_blue(&mut self, now: Mono, freeze_time: Duration) -> bool {
        if now.since(self.adapted) > freeze_time {
            if self.tokens == 0 && self.drop_chance < 1.0 {
                self.drop_chance = (self.drop_chance + self.drop_increase).min(1.0);
            } else if self.tokens_max - self.tokens <= self.decrease_point {
                self.drop_chance = (self.drop_chance - self.drop_decrease).max(0.0);
            }
            self.adapted = now;
        }
        self.random_share() >= self.drop_chance
    }

    /// From 0 up to 1.
    fn random_share(&mut self) -> f64 {
        (splitmix::next(&mut self.random) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn throttle(change: impl FnOnce(&mut ConnectionThrottle)) -> BlueThrottle {
        let mut config = ConnectionThrottle { tokens_max: 2, ..ConnectionThrottle::default() };
        change(&mut config);
        BlueThrottle::new(&config, false, 7)
    }

    fn at(millis: u64) -> Mono {
        Mono(0) + Duration::from_millis(millis)
    }

    #[test]
    fn tokens_run_out_and_come_back_with_time() {
        let mut throttle = throttle(|config| {
            config.fill_time = Duration::from_millis(100);
        });
        let taken = |throttle: &mut BlueThrottle, millis| throttle.check_limit(at(millis), true);
        assert_eq!([0, 0, 0, 100].map(|ms| taken(&mut throttle, ms)), [true, true, false, false]);
        assert_eq!([101, 101].map(|ms| taken(&mut throttle, ms)), [true, false]);
        assert_eq!([9000; 3].map(|ms| taken(&mut throttle, ms)), [true, true, false], "no more");
    }

    #[test]
    fn no_tokens_at_all_is_no_limit() {
        let mut throttle = throttle(|config| config.tokens_max = 0);
        assert!((0..100).all(|_| throttle.check_limit(at(0), true)));
    }

    #[test]
    fn sessions_may_weigh_differently() {
        let mut throttle = throttle(|config| config.weighted = true);
        assert_eq!(throttle.tokens, 6, "tokens for two global sessions");
        assert!(throttle.check_limit(at(0), true) && throttle.check_limit(at(0), false));
        assert_eq!(throttle.tokens, 1);
        assert!(!throttle.check_limit(at(0), false));
    }

    #[test]
    fn an_empty_bucket_turns_more_away_and_a_full_one_fewer() {
        let mut throttle = throttle(|config| {
            config.fill_count = 0;
            config.freeze_time = Some(Duration::from_millis(10));
            config.drop_increase = 0.5;
            config.drop_decrease = 0.25;
        });
        assert!(throttle.check_limit(at(1), true) && throttle.check_limit(at(1), true));
        throttle.check_limit(at(10), true);
        assert_eq!(throttle.drop_chance, 0.0, "not before its time");
        throttle.check_limit(at(11), true);
        assert_eq!(throttle.drop_chance, 0.5);
        throttle.check_limit(at(22), true);
        throttle.check_limit(at(33), true);
        assert_eq!(throttle.drop_chance, 1.0);
        throttle.tokens = 2;
        assert!(!throttle.check_limit(at(34), true), "the chance alone turns it away");
        throttle.check_limit(at(45), true);
        assert_eq!(throttle.drop_chance, 0.75);
    }

    #[test]
    fn random_shares_spread_and_depend_on_the_seed() {
        let mut throttle = throttle(|_| {});
        let shares: Vec<f64> = (0..1000).map(|_| throttle.random_share()).collect();
        let mean = shares.iter().sum::<f64>() / 1000.0;
        assert!((0.45..0.55).contains(&mean) && shares.iter().all(|x| (0.0..1.0).contains(x)));
        throttle.random = 7;
        assert_eq!(throttle.random_share(), shares[0]);
        throttle.random = 8;
        assert_ne!(throttle.random_share(), shares[0]);
    }
}
