//! How much room there is on the disk of a directory.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// In bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Room {
    /// For this process: some of a disk may be kept for the administrator.
    pub free: u64,
    pub whole: u64,
    /// Two directories with the same one share their room.
    pub disk: u64,
}

/// Of a directory that is not there yet it is the room where it would be made.
pub fn room_in(dir: &Path) -> io::Result<Room> {
    let beside = dir.ancestors().find(|dir| dir.exists()).unwrap_or(Path::new("."));
    let found = rustix::fs::statvfs(beside)?;
    let bytes = |blocks: u64| blocks.saturating_mul(found.f_frsize);
    let disk = fs::metadata(beside)?.dev();
    Ok(Room { free: bytes(found.f_bavail), whole: bytes(found.f_blocks), disk })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_is_missing_has_the_room_of_the_one_above() {
        let dir = tempfile::tempdir().expect("a directory");
        let room = room_in(dir.path()).expect("there is a disk");
        assert!(room.free <= room.whole && room.whole > 0, "{room:?}");
        let below = room_in(&dir.path().join("not/yet")).expect("there is a disk");
        assert_eq!((below.whole, below.disk), (room.whole, room.disk));
    }
}
