//! A part of a log as a new file: what can be saved of a damaged one, or what stands up to a zxid.
//! (TxnLogToolkit -r, LogChopper)

use std::path::{Path, PathBuf};

use super::bar::Bar;
use super::error::ToolError;
use super::files::must_be_new;
use super::log_walk::{Damage, Found, LogWalk, Seen};
use super::verdict::Disk;
use crate::base::Zxid;
use crate::jute::txn::Proposal;
use crate::runtime::{File, Lane, OpenMode};
use crate::storage::log_format::{encode_log_header, encode_record, encode_record_as};

/// Bytes that come together before they are written.
const PIECE_BYTES: usize = 1024 * 1024;

/// Why the transactions up to a zxid are no new log.
pub(super) enum Uncut {
    /// There are later ones, but not this one.
    NotThere,
    /// Nothing stands behind it.
    IsLast,
    EndsBefore,
    Damaged(Option<Damage>),
}

/// What came of it.
pub(super) struct Cut {
    pub(super) kept: u64,
    /// What was missing between two transactions.
    pub(super) gaps: Vec<(Zxid, Zxid)>,
    pub(super) uncut: Option<Uncut>,
}

/// Copies the transactions up to this one, if more follow.
pub(super) async fn copy_up_to(
    zxid: Zxid,
    log: &mut LogWalk,
    copy: &mut LogCopy,
    bar: &Bar,
) -> Result<Cut, ToolError> {
    let mut cut = Cut { kept: 0, gaps: Vec::new(), uncut: None };
    let mut last: Option<Zxid> = None;
    loop {
        let found = log.next().await?;
        bar.at(log.at());
        if let (Some(last), Found::Txn { proposal, .. }) = (last, &found)
            && !last.is_followed_by(proposal.zxid())
        {
            cut.gaps.push((last, proposal.zxid()));
        }
        cut.uncut = match &found {
            Found::Txn { proposal, .. } if proposal.zxid() <= zxid => {
                copy.append(proposal).await?;
                cut.kept += 1;
                last = Some(proposal.zxid());
                continue;
            }
            Found::Txn { .. } => (last != Some(zxid)).then_some(Uncut::NotThere),
            Found::End { fault: None, .. } if last == Some(zxid) => Some(Uncut::IsLast),
            Found::End { fault: None, .. } => Some(Uncut::EndsBefore),
            damaged => Some(Uncut::Damaged(Seen::default().take(damaged))),
        };
        return Ok(cut);
    }
}

pub(super) struct LogCopy {
    path: PathBuf,
    file: <Disk as Lane>::File,
    at: u64,
    piece: Vec<u8>,
}

impl LogCopy {
    /// A log without records. Refuses if there is such a file.
    pub(super) async fn create(disk: &Disk, path: &Path) -> Result<LogCopy, ToolError> {
        must_be_new(disk, path).await?;
        let file = disk.open(path, OpenMode::Create).await;
        let file = file.map_err(|error| ToolError::Invalid(error.to_string()))?;
        let mut piece = Vec::new();
        encode_log_header(&mut piece);
        Ok(LogCopy { path: path.to_path_buf(), file, at: 0, piece })
    }

    /// The checksum is computed anew.
    pub(super) async fn append(&mut self, proposal: &Proposal) -> Result<(), ToolError> {
        encode_record(proposal.bytes(), &mut self.piece);
        if self.piece.len() < PIECE_BYTES { Ok(()) } else { self.write().await }
    }

    /// With the checksum that it has, be it right or wrong.
    pub(super) async fn append_as(
        &mut self,
        checksum: i64,
        proposal: &Proposal,
    ) -> Result<(), ToolError> {
        encode_record_as(checksum, proposal.bytes(), &mut self.piece);
        if self.piece.len() < PIECE_BYTES { Ok(()) } else { self.write().await }
    }

    pub(super) async fn finish(mut self) -> Result<(), ToolError> {
        self.write().await?;
        let synced = self.file.sync().await;
        synced.map_err(|error| self.failed(&error))
    }

    /// It is no use: the file goes.
    pub(super) async fn discard(self, disk: &Disk) -> Result<(), ToolError> {
        let removed = disk.remove(&self.path).await;
        removed.map_err(|error| self.failed(&error))
    }

    async fn write(&mut self) -> Result<(), ToolError> {
        let piece = std::mem::take(&mut self.piece);
        let len = piece.len() as u64;
        let written = self.file.write_at(self.at, piece.into()).await;
        self.at += len;
        written.map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &std::io::Error) -> ToolError {
        ToolError::Failed(format!("{}: {error}", self.path.display()))
    }
}
