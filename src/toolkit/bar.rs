//! How much of a file is read: a bar on standard error, where that is a terminal and the output is not.

use std::path::Path;

use indicatif::{ProgressBar, ProgressStyle};

use super::output::Output;

pub(super) struct Bar(ProgressBar);

impl Bar {
    pub(super) fn of(bytes: u64, file: &Path, output: &Output) -> Bar {
        if !output.leaves_room_for_a_bar() {
            return Bar(ProgressBar::hidden());
        }
        let style = ProgressStyle::with_template("{msg} {wide_bar} {percent} %, {eta} to go");
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let bar = ProgressBar::new(bytes).with_message(name);
        Bar(bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar())))
    }

    pub(super) fn at(&self, bytes: u64) {
        self.0.set_position(bytes);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
