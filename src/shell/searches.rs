//! find: the nodes below a node that are what was asked for.

use std::time::{SystemTime, UNIX_EPOCH};

use glob::Pattern;
use serde_json::json;

use super::command::{Call, Command};
use super::options::Opt;
use super::refused::Refused;
use super::subtrees::is_sequential;
use super::text;
use super::walk::{Met, Walk, Wanted};
use crate::base::paths;
use crate::jute::data::Stat;
use crate::tree::Owner;

pub(super) const COMMANDS: &[Command] = &[Command::ask(
    "find",
    "path [-name glob] [-data text] [-owner session] [-ephemeral] [-sequential] [-minsize bytes] [-maxsize bytes] [-newer time|zxid] [-older time|zxid]",
    "Shows the paths below a node to which everything applies that is said.",
    |call| Box::pin(find(call)),
)
.options(&[
    Opt::value("name", "of such a name: * and ? and [a-z]"),
    Opt::value("data", "with this in its data"),
    Opt::value("owner", "ephemeral, of this session (in hex)"),
    Opt::flag("ephemeral", "gone with its session"),
    Opt::flag("sequential", "with a number of ten digits behind its name"),
    Opt::value("minsize", "of so many bytes of data at least"),
    Opt::value("maxsize", "of so many bytes of data at most"),
    Opt::value("newer", "data changed within 30s, 5m, 2h or 7d, or behind a zxid as 0x100000005"),
    Opt::value("older", "data not changed since then"),
])
.words_min(1)];

/// A moment, as a time or as a transaction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Moment {
    /// Milliseconds since 1970.
    Time(i64),
    Zxid(i64),
}

impl Moment {
    /// `5m` is five minutes before now.
    fn of(text: &str, now: i64) -> Option<Moment> {
        if let Some(hex) = text.strip_prefix("0x") {
            return i64::from_str_radix(hex, 16).ok().map(Moment::Zxid);
        }
        let unit = text.chars().last()?;
        let seconds = match unit {
            's' => 1,
            'm' => 60,
            'h' => 60 * 60,
            'd' => 24 * 60 * 60,
            _ => return None,
        };
        let count: u32 = text[..text.len() - 1].parse().ok()?;
        Some(Moment::Time(now - i64::from(count) * seconds * 1000))
    }

    /// Whether the data was written behind it.
    fn is_before(self, stat: &Stat) -> bool {
        match self {
            Moment::Time(millis) => stat.mtime > millis,
            Moment::Zxid(zxid) => stat.mzxid.0 > zxid,
        }
    }
}

/// All of it must apply.
#[derive(Clone, Debug, Default)]
struct Asked {
    name: Option<Pattern>,
    data: Option<Vec<u8>>,
    owner: Option<i64>,
    is_ephemeral: bool,
    is_sequential: bool,
    bytes_min: i32,
    bytes_max: Option<i32>,
    newer: Option<Moment>,
    older: Option<Moment>,
}

impl Asked {
    fn of(call: &Call, now: i64) -> Result<Asked, Refused> {
        let wrong = |option: &str, text: &str, wanted: &str| {
            let usage = format!("{} {}", call.command.name, call.command.usage);
            Refused::new(format!("-{option} {text}: {wanted} is wanted")).with_hint(usage)
        };
        let name = call.given.value("name").map(|text| {
            Pattern::new(text).map_err(|error| Refused::new(format!("-name {text}: {error}")))
        });
        let owner = call.given.value("owner").map(|text| {
            u64::from_str_radix(text.trim_start_matches("0x"), 16)
                .map(u64::cast_signed)
                .map_err(|_| wrong("owner", text, "a session in hex, as in 0x100004f3c2a0000"))
        });
        let moment = |option| {
            let text = call.given.value(option)?;
            let moment = Moment::of(text, now);
            Some(moment.ok_or_else(|| {
                wrong(option, text, "a time as 30s, 5m, 2h or 7d, or a zxid as 0x1f")
            }))
        };
        let bytes_max = call.given.has("maxsize").then(|| call.number("maxsize", 0));
        Ok(Asked {
            name: name.transpose()?,
            data: call.given.value("data").map(|text| text.as_bytes().to_vec()),
            owner: owner.transpose()?,
            is_ephemeral: call.given.has("ephemeral"),
            is_sequential: call.given.has("sequential"),
            bytes_min: call.number("minsize", 0)?,
            bytes_max: bytes_max.transpose()?,
            newer: moment("newer").transpose()?,
            older: moment("older").transpose()?,
        })
    }

    /// `data`: `None` where it may not be read.
    fn is_met(&self, path: &str, stat: &Stat, data: Option<&[u8]>) -> bool {
        let name = paths::split(path).map_or(path, |(_, name)| name);
        let is_ephemeral = matches!(Owner::of(stat.ephemeral_owner), Owner::Session(_));
        self.name.as_ref().is_none_or(|pattern| pattern.matches(name))
            && self.owner.is_none_or(|bits| is_ephemeral && stat.ephemeral_owner == bits)
            && (!self.is_ephemeral || is_ephemeral)
            && (!self.is_sequential || is_sequential(name))
            && stat.data_length >= self.bytes_min
            && self.bytes_max.is_none_or(|max| stat.data_length <= max)
            && self.newer.is_none_or(|moment| moment.is_before(stat))
            && self.older.is_none_or(|moment| !moment.is_before(stat))
            && self.data.as_ref().is_none_or(|text| data.is_some_and(|data| holds(data, text)))
    }
}

fn holds(data: &[u8], text: &[u8]) -> bool {
    text.is_empty() || data.windows(text.len()).any(|window| window == text)
}

async fn find(call: Call) -> Result<(), Refused> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let asked = Asked::of(&call, i64::try_from(now.as_millis()).unwrap_or(i64::MAX))?;
    let wanted = Wanted { data: asked.data.is_some(), acl: false };
    let mut walk = Walk::of(&call.client, &call.path()?, wanted);
    while let Some(walked) = walk.next().await? {
        let Some(stat) = walked.met.stat() else { continue };
        let data = match &walked.met {
            Met::Node(node) => Some(node.data.as_deref().unwrap_or_default()),
            _ => None,
        };
        if asked.is_met(&walked.path, stat, data) {
            call.print.line(&text::shown(&walked.path));
            call.print.answer(|| json!({ "path": walked.path, "stat": text::stat_json(stat) }));
        }
    }
    walk.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{SessionId, Zxid};

    fn stat() -> Stat {
        Stat {
            mzxid: Zxid(0x1_0000_0005),
            mtime: 10_000,
            ephemeral_owner: Owner::Session(SessionId(0x1f)).bits(),
            data_length: 5,
            ..Stat::default()
        }
    }

    #[test]
    fn everything_that_is_said_must_apply() {
        let is_met = |asked: &Asked| asked.is_met("/a/lock-0000000007", &stat(), Some(b"hello"));
        assert!(is_met(&Asked::default()));
        let name = |text| Asked { name: Pattern::new(text).ok(), ..Asked::default() };
        assert!(is_met(&name("lock-*")) && is_met(&name("lock-000000000[5-8]")));
        assert!(!is_met(&name("lock-")) && !is_met(&name("a*")));
        let owner = |bits| Asked { owner: Some(bits), ..Asked::default() };
        assert!(is_met(&owner(0x1f)) && !is_met(&owner(0x1e)));
        let data = |text: &str| Asked { data: Some(text.into()), ..Asked::default() };
        assert!(is_met(&data("ell")) && is_met(&data("")) && !is_met(&data("hellos")));
        assert!(!data("ell").is_met("/a", &stat(), None));
        let newer = |moment| Asked { newer: Some(moment), ..Asked::default() };
        let older = |moment| Asked { older: Some(moment), ..Asked::default() };
        for (before, at) in [
            (Moment::Time(9_999), Moment::Time(10_000)),
            (Moment::Zxid(0x1_0000_0004), Moment::Zxid(0x1_0000_0005)),
        ] {
            assert!(is_met(&newer(before)) && !is_met(&newer(at)));
            assert!(is_met(&older(at)) && !is_met(&older(before)));
        }
        assert!(is_met(&Asked { bytes_min: 5, bytes_max: Some(5), ..Asked::default() }));
        assert!(!is_met(&Asked { bytes_min: 6, ..Asked::default() }));
        assert!(!is_met(&Asked { bytes_max: Some(4), ..Asked::default() }));
        assert!(is_met(&Asked { is_ephemeral: true, is_sequential: true, ..Asked::default() }));
        let nobody = Stat { ephemeral_owner: 0, ..stat() };
        assert!(!Asked { is_ephemeral: true, ..Asked::default() }.is_met("/a", &nobody, None));
    }

    #[test]
    fn a_moment_is_a_time_before_now_or_a_zxid() {
        assert_eq!(Moment::of("2m", 200_000), Some(Moment::Time(80_000)));
        assert_eq!(Moment::of("1d", 0), Some(Moment::Time(-86_400_000)));
        assert_eq!(Moment::of("0x1f", 0), Some(Moment::Zxid(0x1f)));
        for text in ["", "5", "m", "-5m", "0x", "5\u{fc}", "2y"] {
            assert_eq!(Moment::of(text, 0), None, "{text:?}");
        }
    }
}
