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
//! results so far. Watches cannot be set.

use super::asker::{Answer, Asker};
use super::nodes::{get_children, get_data};
use crate::database::Database;
use crate::jute::client::{
    CheckVersionRequest, CreateRequest, CreateTtlRequest, DeleteRequest, ErrorResponse,
    MultiHeader, SetDataRequest, code, op,
};
use crate::jute::{DecodeError, Jute, Reader};

const END: MultiHeader = MultiHeader { kind: -1, done: true, err: -1 };
const ERROR: i32 = -1;

/// A path may be null: its read goes wrong, the request decodes.
enum Part {
    Data(Option<String>),
    Children(Option<String>),
    Write,
}

pub(super) fn multi_read(from: &mut Reader, asker: &Asker<'_>, db: &Database) -> Answer {
    let Some(parts) = decode(from) else { return Err(code::MARSHALLING_ERROR).into() };
    let (mut err, mut body) = (code::OK, Vec::new());
    for part in parts {
        let (kind, result) = match part {
            Part::Data(Some(path)) => (op::GET_DATA, get_data(&path, asker, db)),
            Part::Children(Some(path)) => {
                let kind = op::GET_CHILDREN;
                (kind, get_children(kind, &path, asker, db))
            }
            _ => {
                err = code::MARSHALLING_ERROR;
                break;
            }
        };
        match result {
            Ok(record) => {
                MultiHeader { kind, done: false, err: code::OK }.encode(&mut body);
                body.extend(record);
            }
            Err(err) => {
                MultiHeader { kind: ERROR, done: false, err }.encode(&mut body);
                ErrorResponse { err }.encode(&mut body);
            }
        }
    }
    END.encode(&mut body);
    Answer { err, body, events: Vec::new() }
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
