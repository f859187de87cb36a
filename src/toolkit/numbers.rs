//! Zxids, sessions and times, as they are written on a command line and shown in a line.

use std::str::FromStr;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::base::{SessionId, Zxid};

/// `0x1f` or `31`, as Apache's tools take both. (Long.decode)
pub(super) fn parse_number(text: &str) -> Result<i64, String> {
    let parsed = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        // Sessions of a server above 127 have the highest bit.
        Some(hex) if !hex.starts_with(['+', '-']) => {
            u64::from_str_radix(hex, 16).ok().map(|bits| bits as i64)
        }
        Some(_) => None,
        None => text.parse().ok(),
    };
    parsed.ok_or_else(|| format!("{text:?} is no number: write 0x1f or 31"))
}

pub(super) fn parse_zxid(text: &str) -> Result<Zxid, String> {
    parse_number(text).map(Zxid)
}

pub(super) fn parse_session(text: &str) -> Result<SessionId, String> {
    parse_number(text).map(SessionId)
}

/// `0x10..0x20`, both included; either end may be missing; or one zxid.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct ZxidRange {
    pub(super) first: Zxid,
    pub(super) last: Zxid,
}

impl FromStr for ZxidRange {
    type Err = String;

    fn from_str(text: &str) -> Result<ZxidRange, String> {
        let end = |text: &str, open| if text.is_empty() { Ok(open) } else { parse_zxid(text) };
        let Some((first, last)) = text.split_once("..") else {
            let only = parse_zxid(text)?;
            return Ok(ZxidRange { first: only, last: only });
        };
        Ok(ZxidRange { first: end(first, Zxid::ZERO)?, last: end(last, Zxid::MAX)? })
    }
}

/// `2026-11-21T11:25:56Z`, or milliseconds since 1970; the answer is such milliseconds.
pub(super) fn parse_time(text: &str) -> Result<i64, String> {
    if let Ok(ms) = text.parse() {
        return Ok(ms);
    }
    match OffsetDateTime::parse(text, &Rfc3339) {
        Ok(time) => Ok((time.unix_timestamp_nanos() / 1_000_000) as i64),
        Err(_) => Err(format!(
            "{text:?} is no time: write 2026-11-21T11:25:56Z, or milliseconds since 1970"
        )),
    }
}

fn date_of(ms: i64) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(ms) * 1_000_000).ok()
}

/// `2026-11-21T11:25:56.123Z`; of a time that no calendar has, its milliseconds.
pub(super) fn show_time(ms: i64) -> String {
    let Some(date) = date_of(ms) else { return format!("{ms} ms") };
    let (hour, minute, second, milli) = date.time().as_hms_milli();
    format!("{}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z", date.date())
}

/// `11/21/26, 11:25:56 AM UTC`, as Apache's TxnLogToolkit prints it in English.
pub(super) fn show_short_time(ms: i64) -> String {
    let Some(date) = date_of(ms) else { return format!("{ms} ms") };
    let (hour, minute, second, _) = date.time().as_hms_milli();
    let (month, day, year) = (u8::from(date.month()), date.day(), date.year().rem_euclid(100));
    let half = if hour < 12 { "AM" } else { "PM" };
    let hour = (hour + 11) % 12 + 1;
    format!("{month}/{day}/{year:02}, {hour}:{minute:02}:{second:02} {half} UTC")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_apaches_tools_read_them() {
        assert_eq!(parse_number("0x1f"), Ok(31));
        assert_eq!(parse_number("31"), Ok(31));
        assert_eq!(parse_number("0xff00000000000000"), Ok(0xff00_0000_0000_0000_u64 as i64));
        for wrong in ["", "0x", "1f", "0x-1", "0x+1", "x"] {
            assert!(parse_number(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_range_has_two_ends_or_fewer() {
        let range = |text: &str| text.parse::<ZxidRange>().map(|r| (r.first.0, r.last.0));
        assert_eq!(range("0x1..0x3"), Ok((1, 3)));
        assert_eq!(range("7"), Ok((7, 7)));
        assert_eq!(range("..0x3"), Ok((0, 3)));
        assert_eq!(range("0x3.."), Ok((3, i64::MAX)));
        assert!(range("0x3..y").is_err());
    }

    #[test]
    fn times_are_read_and_shown() {
        let ms = 1_795_260_356_123;
        assert_eq!(show_time(ms), "2026-11-21T11:25:56.123Z");
        assert_eq!(show_short_time(ms), "11/21/26, 11:25:56 AM UTC");
        assert_eq!(show_short_time(ms + 34_444_000), "11/21/26, 9:00:00 PM UTC");
        assert_eq!(show_short_time(0), "1/1/70, 12:00:00 AM UTC");
        assert_eq!(parse_time("2026-11-21T11:25:56.123Z"), Ok(ms));
        assert_eq!(parse_time("1795260356123"), Ok(ms));
        assert!(parse_time("yesterday").is_err());
        assert_eq!(show_time(i64::MAX), "9223372036854775807 ms");
    }
}
