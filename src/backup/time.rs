//! Moments on the command line and in a manifest.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;

use crate::base::Zxid;

/// Which state is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum At {
    Zxid(Zxid),
    /// Milliseconds since 1970.
    Time(i64),
}

impl At {
    pub(super) fn parse(text: &str) -> Result<At, String> {
        if let Some(zxid) = parse_zxid(text) {
            return Ok(At::Zxid(zxid));
        }
        match OffsetDateTime::parse(text, &Rfc3339) {
            Ok(time) => Ok(At::Time((time.unix_timestamp_nanos() / 1_000_000) as i64)),
            Err(error) => Err(format!(
                "--at {text}: give a zxid such as 0x500001f3a, or a time such as 2026-05-04T10:30:00Z \
                 or 2026-05-04T12:30:00+02:00 ({error})"
            )),
        }
    }
}

/// `0x` and hex digits.
pub(super) fn parse_zxid(text: &str) -> Option<Zxid> {
    let digits = text.strip_prefix("0x").filter(|digits| !digits.starts_with('+'))?;
    i64::from_str_radix(digits, 16).ok().filter(|zxid| *zxid >= 0).map(Zxid)
}

pub(super) fn rfc3339(ms: i64) -> String {
    moment(ms).format(&Rfc3339).unwrap_or_else(|_| format!("{ms} ms"))
}

/// Fit for the name of a file, and in order.
pub(super) fn file_time(ms: i64) -> String {
    let form =
        format_description!("[year][month][day]T[hour][minute][second][subsecond digits:3]Z");
    moment(ms).format(form).unwrap_or_else(|_| format!("{ms}"))
}

fn moment(ms: i64) -> OffsetDateTime {
    let moment = OffsetDateTime::from_unix_timestamp_nanos(i128::from(ms) * 1_000_000);
    moment.unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zxid_or_a_time_is_read_and_nothing_else() {
        assert_eq!(At::parse("0x100000002"), Ok(At::Zxid(Zxid(0x1_0000_0002))));
        let time = Ok(At::Time(1_777_890_600_500));
        assert_eq!(At::parse("2026-05-04T10:30:00.5Z"), time);
        assert_eq!(At::parse("2026-05-04T12:30:00.5+02:00"), time);
        for wrong in
            ["", "100000002", "0x", "0x+1", "0xffffffffffffffff", "2026-05-04", "yesterday"]
        {
            assert!(At::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn times_are_written_in_utc() {
        assert_eq!(rfc3339(1_777_890_600_500), "2026-05-04T10:30:00.5Z");
        assert_eq!(file_time(1_777_890_600_500), "20260504T103000500Z");
    }
}
