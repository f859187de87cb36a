//! One summary.

use std::cell::{Cell, RefCell};

use hdrhistogram::Histogram;

use super::family::Digest;

/// Quantiles are right to two digits.
const DIGITS: u8 = 2;
/// Larger values count as this one in the quantiles: there has to be an end.
const VALUE_MAX: u64 = u32::MAX as u64;

/// Values that were recorded. Mostly one is like the one before, as a latency of 0 ms: a row of equal
/// values is folded into the rest when it ends.
#[derive(Debug, Default)]
pub(super) struct Series {
    value: Cell<u64>,
    times: Cell<u64>,
    folded: RefCell<Folded>,
}

#[derive(Debug, Default)]
struct Folded {
    count: u64,
    sum: u64,
    min: u64,
    max: u64,
    /// The present window and the one before. Made with the first value.
    windows: Option<Box<[Histogram<u32>; 2]>>,
}

impl Series {
    pub(super) fn record(&self, value: u64) {
        if value != self.value.get() {
            self.fold();
            self.value.set(value);
        }
        self.times.set(self.times.get() + 1);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.times.get() == 0 && self.folded.borrow().count == 0
    }

    pub(super) fn count(&self) -> u64 {
        self.times.get() + self.folded.borrow().count
    }

    /// The values of the present window, or of the one before, into `all`.
    pub(super) fn add_window(&self, before: bool, all: &mut Histogram<u32>) {
        self.fold();
        if let Some(windows) = &self.folded.borrow().windows {
            // It grows as it has to.
            _ = all.add(&windows[usize::from(before)]);
        }
    }

    pub(super) fn reset(&self) {
        self.times.set(0);
        *self.folded.borrow_mut() = Folded::default();
    }

    /// A new window begins.
    pub(super) fn rotate(&self) {
        self.fold();
        if let Some(windows) = &mut self.folded.borrow_mut().windows {
            windows.swap(0, 1);
            windows[0].reset();
        }
    }

    pub(super) fn digest(&self) -> Digest {
        Series::digest_of([self].into_iter())
    }

    /// Of several together.
    pub(super) fn digest_of<'a>(all: impl Iterator<Item = &'a Series>) -> Digest {
        let mut digest = Digest::default();
        let mut recent: Option<Histogram<u32>> = None;
        for series in all.filter(|series| !series.is_empty()) {
            series.fold();
            let folded = series.folded.borrow();
            digest.min = if digest.count == 0 { folded.min } else { digest.min.min(folded.min) };
            digest.max = digest.max.max(folded.max);
            digest.count += folded.count;
            digest.sum = digest.sum.saturating_add(folded.sum);
            for window in folded.windows.iter().flat_map(|windows| windows.iter()) {
                // Both grow as they have to.
                _ = recent.get_or_insert_with(histogram).add(window);
            }
        }
        let recent = recent.filter(|recent| !recent.is_empty());
        let max = digest.max;
        digest.quantiles = recent.map(|recent| {
            Digest::QUANTILES.map(|quantile| recent.value_at_quantile(quantile).min(max))
        });
        digest
    }

    fn fold(&self) {
        let (value, times) = (self.value.get(), self.times.replace(0));
        if times == 0 {
            return;
        }
        let folded = &mut *self.folded.borrow_mut();
        folded.min = if folded.count == 0 { value } else { folded.min.min(value) };
        folded.max = folded.max.max(value);
        folded.count += times;
        folded.sum = folded.sum.saturating_add(value.saturating_mul(times));
        let windows = folded.windows.get_or_insert_with(|| Box::new([histogram(), histogram()]));
        let times = u32::try_from(times).unwrap_or(u32::MAX);
        // It grows as far as the largest value needs.
        _ = windows[0].record_n(value.min(VALUE_MAX), times);
    }
}

/// It grows with its values.
pub(super) fn histogram() -> Histogram<u32> {
    Histogram::new(DIGITS).expect("the number of digits is one that it takes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_equal_values_count_each_time() {
        let series = Series::default();
        assert!(series.is_empty());
        for value in [0, 0, 0, 5, 5, 0, 1000] {
            series.record(value);
        }
        let digest = series.digest();
        assert_eq!([digest.count, digest.sum, digest.min, digest.max], [7, 1010, 0, 1000]);
        assert_eq!(digest.quantiles, Some([0, 1000, 1000, 1000, 1000]));
        series.record(1000);
        assert_eq!(series.digest().count, 8, "whoever asks ends no row");
    }

    #[test]
    fn a_value_that_is_far_too_large_is_one_all_the_same() {
        let series = Series::default();
        series.record(u64::MAX);
        series.record(3);
        let digest = series.digest();
        assert_eq!((digest.count, digest.min, digest.max), (2, 3, u64::MAX));
        assert!(digest.quantiles.is_some_and(|quantiles| quantiles[4] >= VALUE_MAX / 2));
    }
}
