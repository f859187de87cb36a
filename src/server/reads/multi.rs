//! multiRead: getData and getChildren in one request, each with a result of its own.
//!
//! ```text
//! request   (MultiHeader(op, false, -1) | record)*   MultiHeader(-1, true, -1)
//! reply     (MultiHeader(op, false, 0) | record)*    MultiHeader(-1, true, -1)
//!            MultiHeader(-1, false, err) | err        of one that failed
//! ```
//!
//! The operations of a request are all reads or all writes, or it does not decode. Writes decode
//! and cannot be carried out here: like anything else that goes wrong between the first result and
//! the last this ends the reply with MARSHALLINGERROR and, unlike any other error, with a body: the
//! results so far. A result that would make the reply too long is MARSHALLINGERROR in its place, and
//! the others stand (RD-1). Watches cannot be set.

use super::asker::Asker;
use super::found::{Found, Part as FoundPart, part_bytes};
use super::nodes::{get_children, get_data};
use crate::database::Database;
use crate::jute::client::{
    CheckVersionRequest, CreateRequest, CreateTtlRequest, DeleteRequest, MultiHeader,
    SetDataRequest, code, op,
};
use crate::jute::{DecodeError, Jute, Reader};
use crate::tree::AskedLists;

/// A path may be null: its read goes wrong, the request decodes.
enum Part {
    Data(Option<String>),
    Children(Option<String>),
    Write,
}

/// The results have `bytes_max` bytes at most; those that fail count nothing, since they are no
/// longer than what asked for them.
pub(super) fn multi_read<'a>(
    from: &mut Reader,
    asker: &Asker<'_>,
    db: &'a Database,
    bytes_max: usize,
) -> Found<'a> {
    let Some(parts) = decode(from) else { return Found::failed(code::MARSHALLING_ERROR) };
    let (mut found, mut bytes_left) = (Vec::<FoundPart<'_>>::new(), bytes_max);
    let mut asked = AskedLists::default();
    for part in parts {
        let (kind, result) = match part {
            Part::Data(Some(path)) => (op::GET_DATA, get_data(&path, asker, &mut asked, db)),
            Part::Children(Some(path)) => {
                let kind = op::GET_CHILDREN;
                (kind, get_children(kind, &path, asker, &mut asked, db))
            }
            _ => return Found::of_parts(code::MARSHALLING_ERROR, found),
        };
        let mut part = (kind, result);
        if part.1.is_ok() {
            match bytes_left.checked_sub(part_bytes(&part)) {
                Some(left) => bytes_left = left,
                None => part.1 = Err(code::MARSHALLING_ERROR),
            }
        }
        found.push(part);
    }
    Found::of_parts(code::OK, found)
}

/// `None` where Apache does not decode it.
fn decode(from: &mut Reader) -> Option<Vec<Part>> {
    let mut parts = Vec::new();
    loop {
        let header = MultiHeader::decode(from).ok()?;
        if header.done {
            break;
        }
        parts.push(decode_part(header.kind, from).ok()?);
    }
    let writes = parts.iter().filter(|part| matches!(part, Part::Write)).count();
    (writes == 0 || writes == parts.len()).then_some(parts)
}

fn decode_part(kind: i32, from: &mut Reader) -> Result<Part, DecodeError> {
    match kind {
        op::GET_DATA | op::GET_CHILDREN => {
            let path = from.ustring()?;
            let _watch = from.boolean()?;
            let is_data = kind == op::GET_DATA;
            return Ok(if is_data { Part::Data(path) } else { Part::Children(path) });
        }
        op::CREATE | op::CREATE2 | op::CREATE_CONTAINER => {
            CreateRequest::decode(from)?;
        }
        op::CREATE_TTL => {
            CreateTtlRequest::decode(from)?;
        }
        op::DELETE => {
            DeleteRequest::decode(from)?;
        }
        op::SET_DATA => {
            SetDataRequest::decode(from)?;
        }
        op::CHECK => {
            CheckVersionRequest::decode(from)?;
        }
        _ => {
            return Err(DecodeError::Unknown { what: "operation of a multi", value: kind.into() });
        }
    }
    Ok(Part::Write)
}
