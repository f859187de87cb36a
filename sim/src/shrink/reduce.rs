//! Delta debugging: which parts of a list are needed?

use super::Shrinker;
use crate::scenario::draft::Draft;

impl Shrinker {
    /// Leaves out parts, first all of them, then halves, quarters and so on down to single ones.
    /// `build` makes a draft of the parts that are left. True if something could go.
    pub(super) fn reduce<T: Clone>(
        &mut self,
        mut parts: Vec<T>,
        build: impl Fn(&Draft, &[T]) -> Draft,
    ) -> bool {
        let before = parts.len();
        let base = self.draft.clone();
        if before > 0 && self.attempt(vec![build(&base, &[])]).is_some() {
            return true;
        }
        let mut size = before.div_ceil(2);
        while size > 0 && parts.len() > 1 && !self.trials.time_is_up() {
            let mut from = 0;
            while from < parts.len() {
                let places: Vec<usize> = (from..parts.len()).step_by(size).collect();
                let candidates =
                    places.iter().map(|place| build(&base, &without(&parts, *place, size)));
                let Some(n) = self.attempt(candidates.collect()) else { break };
                parts = without(&parts, places[n], size);
                from = places[n];
            }
            size = if size == 1 { 0 } else { size.div_ceil(2) };
        }
        parts.len() < before
    }
}

fn without<T: Clone>(parts: &[T], from: usize, size: usize) -> Vec<T> {
    let behind = (from + size).min(parts.len());
    parts[..from].iter().chain(&parts[behind..]).cloned().collect()
}
