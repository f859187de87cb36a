//! `quorate shell` as scripts see it: the program against real servers, its lines against Apache's.

#[path = "../ensemble/mod.rs"]
mod ensemble;
#[path = "../golden_files/mod.rs"]
mod golden_files;

mod golden;
mod json;
mod program;
mod sessions;
