//! A transaction as a line. (TxnLogToolkit.printTxn)
//!
//!     11/21/26, 11:25:56 AM UTC session 0x100007936dd0000 cxid 0x1 zxid 0x2 create /a,data,[31,s{'world,'anyone}
//!     ],false,1
//!
//! Apache's lines, as 3.8.0 and 3.9.3 print them in English and UTC, break inside an ACL and wherever data
//! does; ours do not. The parts of a multi, which both print as raw bytes, are written as those after
//! 3.9.3 do (ZOOKEEPER-4864).

use std::fmt::Write;

use bytes::Bytes;

use super::numbers::{show_short_time, show_time};
use crate::jute::client::op_name;
use crate::jute::data::Acl;
use crate::jute::txn::{
    CheckVersionTxn, CreateContainerTxn, CreateTtlTxn, CreateTxn, Proposal, SetDataTxn, Txn, kind,
};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Style {
    /// Byte by byte what Apache prints.
    Apache,
    /// One line for each transaction, whatever stands in it; times to the millisecond.
    Line,
}

/// Without the end of the line.
pub(super) fn txn_line(proposal: &Proposal, style: Style) -> String {
    let header = &proposal.header;
    let time = match style {
        Style::Apache => show_short_time(header.time),
        Style::Line => show_time(header.time),
    };
    let (session, cxid, zxid) = (header.client_id.0, i64::from(header.cxid), header.zxid.0);
    let op = op_of(header.kind);
    let mut line = format!("{time} session 0x{session:x} cxid 0x{cxid:x} zxid 0x{zxid:x} {op} ");
    match style {
        Style::Apache => write_txn(&proposal.txn, style, &mut line),
        Style::Line => {
            let mut txn = String::new();
            write_txn(&proposal.txn, style, &mut txn);
            escape(&txn, &mut line);
        }
    }
    line
}

/// (Request.op2String)
pub(super) fn op_of(kind: i32) -> String {
    match op_name(kind) {
        _ if kind == kind::ERROR => "error".to_owned(),
        "unknown" => format!("unknown {kind}"),
        known => known.to_owned(),
    }
}

/// What would break a line, or move the cursor of a terminal.
fn escape(text: &str, out: &mut String) {
    let mut rest = text;
    while let Some(at) = rest.find(char::is_control) {
        let (plain, from) = rest.split_at(at);
        out.push_str(plain);
        let mut chars = from.chars();
        out.extend(chars.next().into_iter().flat_map(char::escape_default));
        rest = chars.as_str();
    }
    out.push_str(rest);
}

fn write_txn(txn: &Txn, style: Style, out: &mut String) {
    // Writing into a String does not fail.
    let _ = match txn {
        Txn::Create(CreateTxn { path, data, acl, ephemeral, parent_cversion }) => {
            let (data, acl) = (text_of(data), acl_of(acl, style));
            write!(out, "{path},{data},{acl},{ephemeral},{parent_cversion}")
        }
        Txn::CreateTtl(CreateTtlTxn { path, data, acl, parent_cversion, ttl }) => {
            let (data, acl) = (text_of(data), acl_of(acl, style));
            write!(out, "{path},{data},{acl},{parent_cversion},{ttl}")
        }
        Txn::CreateContainer(CreateContainerTxn { path, data, acl, parent_cversion }) => {
            let (data, acl) = (text_of(data), acl_of(acl, style));
            write!(out, "{path},{data},{acl},{parent_cversion}")
        }
        Txn::SetData(SetDataTxn { path, data, version }) => {
            write!(out, "{path},{},{version}", text_of(data))
        }
        Txn::CheckVersion(CheckVersionTxn { path, version }) => write!(out, "{path},{version}"),
        Txn::Delete(delete) => write!(out, "{}", quoted(&delete.path)),
        Txn::SetAcl(set) => {
            let entries = set.acl.iter().flatten();
            let entries: Vec<String> =
                entries.map(|acl| format!("s{{{}}}", fields_of(acl))).collect();
            let path = quoted(&set.path);
            write!(out, "{path},v{{{}}},{}", entries.join(","), set.version)
        }
        Txn::CreateSession(session) => write!(out, "{}", session.timeout),
        Txn::CloseSession(None) => Ok(()),
        Txn::CloseSession(Some(closed)) => {
            let paths: Vec<String> = closed.paths_to_delete.iter().map(|p| quoted(p)).collect();
            write!(out, "v{{{}}}", paths.join(","))
        }
        Txn::Error(error) => write!(out, "{}", error.err),
        Txn::Multi(parts) => {
            for (n, (kind, part)) in parts.iter().enumerate() {
                let between = if n == 0 { "" } else { ";" };
                let _ = write!(out, "{between}{}:", op_of(*kind));
                write_part(part, style, out);
            }
            Ok(())
        }
    };
}

/// Inside a multi a path stands as it is.
fn write_part(part: &Txn, style: Style, out: &mut String) {
    match part {
        Txn::Delete(delete) => out.push_str(&delete.path),
        part => write_txn(part, style, out),
    }
}

fn text_of(data: &Option<Bytes>) -> String {
    String::from_utf8_lossy(data.as_deref().unwrap_or_default()).into_owned()
}

/// A list of Java: what each entry prints ends its line.
fn acl_of(acl: &Option<Vec<Acl>>, style: Style) -> String {
    let Some(acl) = acl else { return "null".to_owned() };
    let end = if style == Style::Apache { "\n" } else { "" };
    let entries: Vec<String> = acl.iter().map(|acl| fields_of(acl) + end).collect();
    format!("[{}]", entries.join(", "))
}

fn fields_of(Acl { perms, id }: &Acl) -> String {
    format!("{perms},s{{{},{}}}", quoted(&id.scheme), quoted(&id.id))
}

/// (ToStringOutputArchive)
fn quoted(text: &str) -> String {
    let mut out = String::from("'");
    for c in text.chars() {
        match c {
            '\0' => out.push_str("%00"),
            '\n' => out.push_str("%0A"),
            '\r' => out.push_str("%0D"),
            ',' => out.push_str("%2C"),
            '}' => out.push_str("%7D"),
            '%' => out.push_str("%25"),
            c => out.push(c),
        }
    }
    out
}
