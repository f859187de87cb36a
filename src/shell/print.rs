//! Where answers go: text as Apache's shell divides it between stdout and stderr, or JSON.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::io::{self, Write};
use std::rc::Rc;

use serde_json::{Value, json};

use crate::client::WatchedEvent;

/// In which form.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Form {
    Text,
    /// One object a line: answers and events on stdout, errors on stderr.
    Json,
}

/// Prints while a line is edited, above it.
pub(super) type Above = Box<dyn FnMut(String) + Send>;

/// Copies print to the same place.
#[derive(Clone)]
pub(super) struct Printer {
    form: Form,
    above: Rc<RefCell<Option<Above>>>,
    /// A line is being edited.
    edits: Rc<Cell<bool>>,
}

impl fmt::Debug for Printer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Printer").field("form", &self.form).finish_non_exhaustive()
    }
}

impl Printer {
    pub(super) fn new(form: Form) -> Printer {
        Printer { form, above: Rc::default(), edits: Rc::default() }
    }

    pub(super) fn is_text(&self) -> bool {
        self.form == Form::Text
    }

    /// How to print while a line is edited.
    pub(super) fn set_above(&self, above: Above) {
        *self.above.borrow_mut() = Some(above);
    }

    pub(super) fn set_edits(&self, edits: bool) {
        self.edits.set(edits);
    }

    /// A line of an answer, in text alone.
    pub(super) fn line(&self, text: &str) {
        if self.is_text() {
            self.out(text);
        }
    }

    /// A line of data, in whichever form.
    pub(super) fn raw(&self, text: &str) {
        self.out(text);
    }

    /// A line on stderr, in text alone.
    pub(super) fn note(&self, text: &str) {
        if self.is_text() {
            self.err(text);
        }
    }

    /// An answer, as JSON alone.
    pub(super) fn answer(&self, value: impl FnOnce() -> Value) {
        if self.form == Form::Json {
            self.out(&value().to_string());
        }
    }

    /// In whichever form: the text is printed as it is.
    pub(super) fn error(&self, text: &str, value: impl FnOnce() -> Value) {
        match self.form {
            Form::Text => self.err(text),
            Form::Json => self.err(&json!({ "error": value() }).to_string()),
        }
    }

    pub(super) fn event(&self, event: &WatchedEvent) {
        let text = match self.form {
            Form::Text => format!("\nWATCHER::\n\n{event}"),
            Form::Json => event_json(event).to_string(),
        };
        match &mut *self.above.borrow_mut() {
            Some(above) if self.edits.get() => above(text + "\n"),
            _ => self.out(&text),
        }
    }

    /// A prompt, or the echo of a line, without its end.
    pub(super) fn prompt(&self, text: &str) {
        let _ = write!(io::stdout(), "{text}").and_then(|()| io::stdout().flush());
    }

    /// Nobody who listens is no reason to fail.
    fn out(&self, text: &str) {
        let mut out = io::stdout().lock();
        let _ = writeln!(out, "{text}").and_then(|()| out.flush());
    }

    fn err(&self, text: &str) {
        let _ = writeln!(io::stderr(), "{text}");
    }
}

fn event_json(event: &WatchedEvent) -> Value {
    json!({ "event": {
        "state": format!("{:?}", event.state),
        "type": format!("{:?}", event.kind),
        "path": event.path,
        "zxid": event.zxid,
    }})
}
