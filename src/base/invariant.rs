//! Assertions that name what they hold, and what becomes of one that fails.
//!
//!     invariant!(committed <= logged, "DB-1", "committed {committed}, logged {logged}");
//!
//! The id is one of the head of the file that asserts it. A failed assertion is a bug of ours: it
//! panics with a [`Broken`], in release builds too. Whoever runs the server's tasks (`runtime::os`,
//! the simulator) tells it as [`Note::Broken`] and ends the process: nothing of a state that
//! cannot be is used again.
//!
//! A core has `invariants()`, what must hold between two of its steps, and calls it at the end of
//! each. What costs more than a few comparisons stands there under [`COSTLY_CHECKS`].

use std::any::Any;

use super::Note;

/// Whether invariants() may walk through collections: in debug builds, and in the simulator, which
/// is what turns the feature on.
pub const COSTLY_CHECKS: bool = cfg!(any(debug_assertions, feature = "museum"));

/// A note that comes with every transaction. Only checkers, traces and spans want it: a server that
/// nobody watches does not make it.
pub fn routine(note: impl FnOnce() -> Note) -> Option<Note> {
    (COSTLY_CHECKS || wants_routine_notes()).then(note)
}

#[cfg(feature = "otlp")]
thread_local! {
    static WANTS_ROUTINE_NOTES: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// From now on this thread's server makes them.
#[cfg(feature = "otlp")]
pub fn want_routine_notes() {
    WANTS_ROUTINE_NOTES.set(true);
}

#[cfg(feature = "otlp")]
fn wants_routine_notes() -> bool {
    WANTS_ROUTINE_NOTES.get()
}

#[cfg(not(feature = "otlp"))]
const fn wants_routine_notes() -> bool {
    false
}

/// An assertion that failed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Broken {
    /// Of the invariant; "assert" for every other panic.
    pub id: &'static str,
    pub what: String,
}

impl Broken {
    /// What a caught panic said.
    pub fn caught(panic: Box<dyn Any + Send>) -> Broken {
        match panic.downcast::<Broken>() {
            Ok(broken) => *broken,
            Err(other) => {
                let text = other.downcast_ref::<String>().map(String::as_str);
                let text = text.or_else(|| other.downcast_ref::<&str>().copied());
                Broken { id: "assert", what: text.unwrap_or("a panic without words").to_owned() }
            }
        }
    }

    pub fn into_note(self) -> Note {
        Note::Broken { id: self.id, what: self.what }
    }
}

/// The end of [`invariant!`].
#[cold]
#[track_caller]
pub fn broken(id: &'static str, what: String) -> ! {
    std::panic::panic_any(Broken { id, what })
}

/// `invariant!(what holds, "ID", "words, {formatted}")`
macro_rules! invariant {
    ($holds:expr, $id:literal, $($words:tt)+) => {
        if !$holds {
            $crate::base::invariant::broken($id, format!($($words)+));
        }
    };
}
pub(crate) use invariant;

/// For the tests of invariants().
#[cfg(test)]
pub(crate) mod testing {
    use std::collections::BTreeMap;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::Broken;

    /// An invariant of that id fails in there.
    #[track_caller]
    pub(crate) fn fires<T>(id: &str, act: impl FnOnce() -> T) {
        let Err(panic) = catch_unwind(AssertUnwindSafe(act)) else { panic!("{id} does not fire") };
        let broken = Broken::caught(panic);
        assert_eq!(broken.id, id, "{}", broken.what);
    }

    /// The id that must fail, a state in which all invariants hold, and what breaks this one.
    pub(crate) type Row<T> = (&'static str, fn() -> T, fn(&mut T));

    /// Each row fails with its id, and only when it is broken. `source` is the file that holds the
    /// assertions: each of those in its functions `invariants...` must have a row of its own.
    #[track_caller]
    pub(crate) fn each_fires<T>(source: &str, invariants: impl Fn(&T), rows: &[Row<T>]) {
        let mut shown: BTreeMap<&str, usize> = BTreeMap::new();
        for (n, (id, good, harm)) in rows.iter().enumerate() {
            let mut state = good();
            invariants(&state);
            harm(&mut state);
            println!("row {n}");
            fires(id, || invariants(&state));
            *shown.entry(id).or_default() += 1;
        }
        for (id, count) in ids_of(source) {
            let shown = shown.get(id).copied().unwrap_or(0);
            assert!(shown >= count, "{id}: {count} assertions, {shown} were seen to fire");
        }
    }

    /// How often each id is asserted in the functions `invariants...` of a file.
    fn ids_of(source: &str) -> BTreeMap<&str, usize> {
        let mut ids = BTreeMap::new();
        for function in source.split("fn invariants").skip(1) {
            let body = function.split("\n    }\n").next().unwrap_or(function);
            for assertion in body.split("invariant!(").skip(1) {
                let id = assertion.split('"').nth(1).expect("an assertion has an id");
                *ids.entry(id).or_default() += 1;
            }
        }
        assert!(!ids.is_empty(), "no function invariants() in this file");
        ids
    }
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use super::*;

    #[test]
    fn an_invariant_that_fails_says_which_it_is() {
        let number = 7;
        let caught = catch_unwind(|| invariant!(number < 5, "X-1", "{number} is too much"));
        let broken = Broken::caught(caught.expect_err("it fails"));
        assert_eq!(broken, Broken { id: "X-1", what: "7 is too much".into() });
        catch_unwind(|| invariant!(number > 5, "X-1", "never said")).expect("it holds");
    }

    #[test]
    fn every_other_panic_keeps_its_words() {
        let said = |panic| {
            let Broken { id, what } = Broken::caught(panic);
            (id, what)
        };
        let caught = catch_unwind(|| panic!("at {}", 3)).expect_err("it panics");
        assert_eq!(said(caught), ("assert", "at 3".into()));
        let caught = catch_unwind(|| panic!("plain")).expect_err("it panics");
        assert_eq!(said(caught), ("assert", "plain".into()));
        assert_eq!(said(Box::new(5)), ("assert", "a panic without words".into()));
    }
}
