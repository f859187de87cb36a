//! Replies and events in words, one line each.

use std::fmt::Write as _;

use bytes::Bytes;
use quorate::jute::client::{op, op_name, xid};
use quorate::jute::{DecodeError, Reader};

use super::names::{Names, hex};

/// A frame of a server. `request`: the operation it answers, `None` for a ConnectRequest.
pub(crate) fn in_words(frame: &Bytes, request: Option<i32>, names: &mut Names) -> String {
    let mut from = Reader::new(frame.clone());
    let mut said = String::new();
    let read = match request {
        _ if request.is_some() && is_event(frame) => event(&mut from, names, &mut said),
        None => connect_response(&mut from, names, &mut said),
        Some(op) => reply(op, &mut from, names, &mut said),
    };
    if let Err(error) = read {
        let _ = write!(said, " and not what it should be ({error})");
    }
    if from.remaining() > 0 {
        let _ = write!(said, " and {}", hex(&from.rest()));
    }
    said
}

fn long_at(frame: &Bytes, offset: usize) -> Option<i64> {
    let bytes = frame.get(offset..offset + 8)?;
    Some(i64::from_be_bytes(bytes.try_into().expect("eight bytes")))
}

/// Of a reply or an event; `None` for what is too short for either.
pub(crate) fn reply_zxid(frame: &Bytes) -> Option<i64> {
    long_at(frame, 4)
}

pub(crate) fn reply_xid(frame: &Bytes) -> Option<i32> {
    let bytes = frame.get(..4)?;
    Some(i32::from_be_bytes(bytes.try_into().expect("four bytes")))
}

pub(crate) fn reply_err(frame: &Bytes) -> Option<i32> {
    let bytes = frame.get(12..16)?;
    Some(i32::from_be_bytes(bytes.try_into().expect("four bytes")))
}

/// Whether this is a watch event, which answers no request.
pub(crate) fn is_event(frame: &Bytes) -> bool {
    reply_xid(frame) == Some(xid::NOTIFICATION)
}

fn event(from: &mut Reader, names: &Names, said: &mut String) -> Result<(), DecodeError> {
    let (_, zxid, err) = (from.int()?, from.long()?, from.int()?);
    let kind = match from.int()? {
        1 => "NodeCreated".into(),
        2 => "NodeDeleted".into(),
        3 => "NodeDataChanged".into(),
        4 => "NodeChildrenChanged".into(),
        other => format!("type {other}"),
    };
    let state = from.int()?;
    let path = names.text(&from.buffer()?);
    let _ = write!(said, "event {kind} {path} zxid={}", names.event_zxid(zxid));
    if state != 3 || err != 0 {
        let _ = write!(said, " state={state} err={err}");
    }
    Ok(())
}

fn connect_response(
    from: &mut Reader,
    names: &mut Names,
    said: &mut String,
) -> Result<(), DecodeError> {
    let (version, timeout, session) = (from.int()?, from.int()?, from.long()?);
    let password = from.buffer()?;
    names.meet_session(session);
    let _ = write!(
        said,
        "session={} timeout={timeout} password={} version={version} readOnly=",
        names.session(session),
        names.password(&password, session)
    );
    match from.remaining() {
        0 => said.push_str("(none)"),
        _ => said.push_str(&from.boolean()?.to_string()),
    }
    Ok(())
}

fn reply(
    op: i32,
    from: &mut Reader,
    names: &mut Names,
    said: &mut String,
) -> Result<(), DecodeError> {
    let (xid, zxid, err) = (from.int()?, from.long()?, from.int()?);
    let _ = write!(said, "reply xid={xid} zxid={} err={err}", names.zxid(zxid));
    if err == 0 || from.remaining() > 0 {
        record(op, from, names, said)?;
    }
    Ok(())
}

fn record(
    op: i32,
    from: &mut Reader,
    names: &mut Names,
    said: &mut String,
) -> Result<(), DecodeError> {
    match op {
        op::CREATE | op::SYNC => one(said, "path", names.text(&from.buffer()?)),
        op::CREATE2 | op::CREATE_TTL | op::CREATE_CONTAINER => {
            one(said, "path", names.text(&from.buffer()?));
            stat(from, names, said)?;
        }
        op::EXISTS | op::SET_DATA | op::SET_ACL => stat(from, names, said)?,
        op::GET_DATA | op::RECONFIG => {
            one(said, "data", names.text(&from.buffer()?));
            stat(from, names, said)?;
        }
        op::GET_ACL => {
            acl(from, said)?;
            stat(from, names, said)?;
        }
        op::GET_CHILDREN => set(from, names, said)?,
        op::GET_CHILDREN2 => {
            set(from, names, said)?;
            stat(from, names, said)?;
        }
        op::GET_EPHEMERALS => set(from, names, said)?,
        op::GET_ALL_CHILDREN_NUMBER => one(said, "number", from.int()?.to_string()),
        op::ADD_WATCH => one(said, "result", from.int()?.to_string()),
        op::SASL => one(said, "token", names.text(&from.buffer()?)),
        op::WHO_AM_I => {
            let count = from.int()?;
            let mut ids = Vec::new();
            for _ in 0..count {
                let (scheme, user) = (from.buffer()?, from.buffer()?);
                ids.push(format!("{}:{}", names.text(&scheme), names.text(&user)));
            }
            ids.sort();
            let _ = write!(said, " ids({count})={}", ids.join(" "));
        }
        op::MULTI | op::MULTI_READ => multi(from, names, said)?,
        // delete, the watch operations, auth and closeSession have no record.
        _ => {}
    }
    Ok(())
}

fn one(said: &mut String, name: &str, value: String) {
    let _ = write!(said, " {name}={value}");
}

fn stat(from: &mut Reader, names: &mut Names, said: &mut String) -> Result<(), DecodeError> {
    let (czxid, mzxid) = (from.long()?, from.long()?);
    let (ctime, mtime) = (from.long()?, from.long()?);
    let (version, cversion, aversion) = (from.int()?, from.int()?, from.int()?);
    let owner = from.long()?;
    let (length, children, pzxid) = (from.int()?, from.int()?, from.long()?);
    let _ = write!(
        said,
        " stat[czxid={} mzxid={} pzxid={} ctime={} mtime={} version={version} \
         cversion={cversion} aversion={aversion} owner={} length={length} children={children}]",
        names.zxid(czxid),
        names.zxid(mzxid),
        names.zxid(pzxid),
        names.time(ctime, czxid),
        names.time(mtime, mzxid),
        names.session(owner),
    );
    Ok(())
}

fn acl(from: &mut Reader, said: &mut String) -> Result<(), DecodeError> {
    let count = from.int()?;
    let _ = write!(said, " acl({count})=");
    for _ in 0..count {
        let (perms, scheme, id) = (from.int()?, from.buffer()?, from.buffer()?);
        let names = Names::default();
        let _ = write!(said, "{perms}:{}:{} ", names.text(&scheme), names.text(&id));
    }
    Ok(())
}

/// Names whose order no server promises, sorted.
fn set(from: &mut Reader, names: &Names, said: &mut String) -> Result<(), DecodeError> {
    let count = from.int()?;
    let mut items = Vec::new();
    for _ in 0..count {
        items.push(names.text(&from.buffer()?));
    }
    items.sort();
    let _ = write!(said, " names({count})={}", items.join(","));
    Ok(())
}

fn multi(from: &mut Reader, names: &mut Names, said: &mut String) -> Result<(), DecodeError> {
    said.push_str(" results=");
    loop {
        let (kind, done, err) = (from.int()?, from.boolean()?, from.int()?);
        if done {
            if (kind, err) != (-1, -1) {
                let _ = write!(said, "<end {kind} {err}>");
            }
            return Ok(());
        }
        match kind {
            -1 => {
                let inner = from.int()?;
                let _ = write!(said, "<error {err}");
                if inner != err {
                    let _ = write!(said, " record {inner}");
                }
            }
            _ => {
                let _ = write!(said, "<{}", op_name(kind));
                if err != 0 {
                    let _ = write!(said, " err={err}");
                }
                record(kind, from, names, said)?;
            }
        }
        said.push('>');
    }
}
