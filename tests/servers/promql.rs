//! As much of PromQL as our rules and panels use, over two scrapes.
//!
//!     comparison  sum [== != < > <= >= sum]      of a vector: those of its samples for which it holds
//!     sum         product [+ - product]...
//!     product     value [* / value]...           of two vectors: of samples with equal labels
//!     value       number, (comparison), name{label="x",...}, name{...}[range],
//!                 rate(...), increase(...): what was added between the scrapes
//!                 absent(...): one sample if there is none

use std::collections::{BTreeMap, BTreeSet};

pub(crate) type Labels = BTreeMap<String, String>;

/// The name is not among the labels.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) labels: Labels,
    pub(crate) value: f64,
}

/// Two scrapes, one after the other.
pub(crate) struct Scrapes {
    pub(crate) before: Vec<Sample>,
    pub(crate) after: Vec<Sample>,
}

enum Expr {
    Number(f64),
    Selector(String, Labels),
    Call(String, Box<Expr>),
    Binary(String, Box<Expr>, Box<Expr>),
}

#[derive(Debug)]
enum Value {
    Scalar(f64),
    Vector(Vec<(Labels, f64)>),
}

/// The samples for which an expression holds.
pub(crate) fn evaluate(text: &str, scrapes: &Scrapes) -> Vec<(Labels, f64)> {
    match value_of(&parse(text), scrapes) {
        Value::Vector(samples) => samples,
        Value::Scalar(_) => panic!("{text} is a number"),
    }
}

/// The names of all metrics in an expression.
pub(crate) fn names(text: &str) -> BTreeSet<String> {
    fn collect(expr: &Expr, found: &mut BTreeSet<String>) {
        match expr {
            Expr::Number(_) => {}
            Expr::Selector(name, _) => _ = found.insert(name.clone()),
            Expr::Call(_, of) => collect(of, found),
            Expr::Binary(_, left, right) => {
                collect(left, found);
                collect(right, found);
            }
        }
    }
    let mut found = BTreeSet::new();
    collect(&parse(text), &mut found);
    found
}

fn value_of(expr: &Expr, scrapes: &Scrapes) -> Value {
    match expr {
        Expr::Number(number) => Value::Scalar(*number),
        Expr::Selector(name, wanted) => Value::Vector(selected(&scrapes.after, name, wanted)),
        Expr::Call(function, of) => match (function.as_str(), &**of) {
            ("rate" | "increase", Expr::Selector(name, wanted)) => {
                let before = selected(&scrapes.before, name, wanted);
                let grown = |(labels, value): (Labels, f64)| {
                    let earlier = before.iter().find(|(other, _)| *other == labels);
                    let grown = value - earlier.map_or(0.0, |(_, value)| *value);
                    (labels, grown)
                };
                let after = selected(&scrapes.after, name, wanted);
                Value::Vector(after.into_iter().map(grown).collect())
            }
            ("absent", of) => match value_of(of, scrapes) {
                Value::Vector(samples) if samples.is_empty() => {
                    Value::Vector(vec![(Labels::new(), 1.0)])
                }
                _ => Value::Vector(Vec::new()),
            },
            _ => panic!("no function {function}"),
        },
        Expr::Binary(op, left, right) => {
            binary(op, value_of(left, scrapes), value_of(right, scrapes))
        }
    }
}

fn selected(samples: &[Sample], name: &str, wanted: &Labels) -> Vec<(Labels, f64)> {
    let has = |sample: &&Sample| {
        sample.name == name
            && wanted.iter().all(|(label, value)| sample.labels.get(label) == Some(value))
    };
    samples.iter().filter(has).map(|sample| (sample.labels.clone(), sample.value)).collect()
}

fn binary(op: &str, left: Value, right: Value) -> Value {
    let pairs: Vec<(Labels, f64, f64)> = match (left, right) {
        (Value::Scalar(a), Value::Scalar(b)) => {
            return Value::Scalar(number(op, a, b).expect("of two numbers"));
        }
        (Value::Vector(left), Value::Scalar(b)) => {
            left.into_iter().map(|(labels, a)| (labels, a, b)).collect()
        }
        (Value::Scalar(a), Value::Vector(right)) => {
            right.into_iter().map(|(labels, b)| (labels, a, b)).collect()
        }
        (Value::Vector(left), Value::Vector(right)) => left
            .into_iter()
            .filter_map(|(labels, a)| {
                let b = right.iter().find(|(other, _)| *other == labels)?.1;
                Some((labels, a, b))
            })
            .collect(),
    };
    Value::Vector(
        pairs.into_iter().filter_map(|(labels, a, b)| Some((labels, number(op, a, b)?))).collect(),
    )
}

/// `None` of a comparison that does not hold.
fn number(op: &str, a: f64, b: f64) -> Option<f64> {
    let holds = match op {
        "+" => return Some(a + b),
        "-" => return Some(a - b),
        "*" => return Some(a * b),
        "/" => return Some(a / b),
        "==" => a == b,
        "!=" => a != b,
        "<" => a < b,
        ">" => a > b,
        "<=" => a <= b,
        ">=" => a >= b,
        _ => panic!("no operator {op}"),
    };
    holds.then_some(a)
}

struct Parser<'a> {
    text: &'a str,
    rest: &'a str,
}

fn parse(text: &str) -> Expr {
    let mut parser = Parser { text, rest: text.trim() };
    let expr = parser.comparison();
    assert!(parser.rest.is_empty(), "{:?} is left over of {text}", parser.rest);
    expr
}

impl<'a> Parser<'a> {
    fn comparison(&mut self) -> Expr {
        let left = self.sum();
        match self.one_of(&["==", "!=", "<=", ">=", "<", ">"]) {
            Some(op) => Expr::Binary(op, Box::new(left), Box::new(self.sum())),
            None => left,
        }
    }

    fn sum(&mut self) -> Expr {
        let mut left = self.product();
        while let Some(op) = self.one_of(&["+", "-"]) {
            left = Expr::Binary(op, Box::new(left), Box::new(self.product()));
        }
        left
    }

    fn product(&mut self) -> Expr {
        let mut left = self.value();
        while let Some(op) = self.one_of(&["*", "/"]) {
            left = Expr::Binary(op, Box::new(left), Box::new(self.value()));
        }
        left
    }

    fn value(&mut self) -> Expr {
        if self.one_of(&["("]).is_some() {
            let inner = self.comparison();
            self.expect(")");
            return inner;
        }
        let word = self.word(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.');
        assert!(!word.is_empty(), "a value is missing before {:?} in {}", self.rest, self.text);
        if let Ok(number) = word.parse() {
            return Expr::Number(number);
        }
        if self.one_of(&["("]).is_some() {
            let of = self.comparison();
            self.expect(")");
            return Expr::Call(word.into(), Box::new(of));
        }
        let labels = if self.one_of(&["{"]).is_some() { self.labels() } else { Labels::new() };
        if self.one_of(&["["]).is_some() {
            self.word(|c| c != ']');
            self.expect("]");
        }
        Expr::Selector(word.into(), labels)
    }

    /// A pattern (=~) is not looked at: only panels have some, which are not evaluated.
    fn labels(&mut self) -> Labels {
        let mut labels = Labels::new();
        while self.one_of(&["}"]).is_none() {
            let label = self.word(|c| c.is_ascii_alphanumeric() || c == '_');
            let op = self.one_of(&["=~", "="]).expect("label=\"value\"");
            self.expect("\"");
            let value = self.word(|c| c != '"');
            self.expect("\"");
            self.one_of(&[","]);
            if op == "=" {
                labels.insert(label.into(), value.into());
            }
        }
        labels
    }

    fn word(&mut self, is_in: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !is_in(c)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest.trim_start();
        word
    }

    fn one_of(&mut self, ops: &[&str]) -> Option<String> {
        let op = ops.iter().find(|op| self.rest.starts_with(**op))?;
        self.rest = self.rest[op.len()..].trim_start();
        Some((*op).into())
    }

    fn expect(&mut self, what: &str) {
        assert!(self.one_of(&[what]).is_some(), "{what} before {:?} in {}", self.rest, self.text);
    }
}

/// Reads the text format 0.0.4: samples, and the type of each metric.
pub(crate) fn read_scrape(text: &str) -> (Vec<Sample>, BTreeMap<String, String>) {
    let (mut samples, mut types) = (Vec::new(), BTreeMap::new());
    for line in text.lines() {
        if let Some(row) = line.strip_prefix("# TYPE ") {
            let (name, kind) = row.split_once(' ').expect("a name and a type");
            assert!(types.insert(name.into(), kind.into()).is_none(), "{name} is there twice");
        } else if !line.starts_with('#') {
            let (series, value) = line.rsplit_once(' ').expect("a series and its value");
            let mut parser = Parser { text: line, rest: series };
            let Expr::Selector(name, labels) = parser.value() else { panic!("{line}") };
            samples.push(Sample { name, labels, value: value.parse().expect("a number") });
        }
    }
    (samples, types)
}
