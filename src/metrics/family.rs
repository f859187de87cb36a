//! What is shown of a metric: its name, its type, and its values.

use std::rc::Rc;

/// A metric, with one value or with one for each key.
#[derive(Clone, PartialEq, Debug)]
pub struct Family {
    pub name: &'static str,
    pub kind: Kind,
    pub samples: Vec<Sample>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Gauge,
    Counter,
    /// Advanced ones show more quantiles. (MetricsContext.DetailLevel)
    Summary {
        is_advanced: bool,
    },
}

#[derive(Clone, PartialEq, Debug)]
pub struct Sample {
    /// In a set of metrics.
    pub key: Option<Rc<str>>,
    pub value: Value,
}

#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Value {
    Number(Number),
    Summary(Digest),
}

#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Number {
    Whole(i64),
    Real(f64),
}

/// What a summary comes to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Digest {
    pub count: u64,
    pub sum: u64,
    /// 0 of no values, and so is `max`.
    pub min: u64,
    pub max: u64,
    /// One for each of [`Digest::QUANTILES`], of the values of the last minutes; `None` of no values.
    pub quantiles: Option<[u64; 5]>,
}

impl Digest {
    pub const QUANTILES: [f64; 5] = [0.5, 0.9, 0.95, 0.99, 0.999];

    /// 0 of no values.
    pub fn average(&self) -> f64 {
        self.sum as f64 / self.count.max(1) as f64
    }

    /// One of [`Digest::QUANTILES`].
    pub fn quantile(&self, q: f64) -> Option<u64> {
        let place = Digest::QUANTILES.iter().position(|other| *other == q)?;
        self.quantiles.map(|quantiles| quantiles[place])
    }
}

impl Kind {
    pub const BASIC: Kind = Kind::Summary { is_advanced: false };
    pub const ADVANCED: Kind = Kind::Summary { is_advanced: true };
}

impl From<u64> for Number {
    fn from(n: u64) -> Number {
        Number::Whole(i64::try_from(n).unwrap_or(i64::MAX))
    }
}

impl From<i64> for Number {
    fn from(n: i64) -> Number {
        Number::Whole(n)
    }
}

impl From<f64> for Number {
    fn from(n: f64) -> Number {
        Number::Real(n)
    }
}

impl Family {
    pub fn one(name: &'static str, kind: Kind, value: Value) -> Family {
        Family { name, kind, samples: vec![Sample { key: None, value }] }
    }

    pub fn keyed(
        name: &'static str,
        kind: Kind,
        samples: impl Iterator<Item = (Rc<str>, Value)>,
    ) -> Family {
        let samples = samples.map(|(key, value)| Sample { key: Some(key), value }).collect();
        Family { name, kind, samples }
    }
}
