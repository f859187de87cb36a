//! The tools for data directories: the built program on copies of the directories of Apache ZooKeeper, whole
//! and damaged in every way.

mod directories;
#[path = "../golden_files/mod.rs"]
mod golden_files;
mod logs;
mod place;
mod snapshots;
