//! Dates as Java prints them: `Sat Nov 21 11:22:06 UTC 2026`. (Date.toString, in UTC)

const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Milliseconds since 1970.
pub fn java_date(at_ms: i64) -> String {
    let seconds = at_ms.div_euclid(1000);
    let (day, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let weekday = DAYS[day.rem_euclid(7) as usize];
    let (year, month, day) = calendar_day(day);
    let month = MONTHS[month];
    format!("{weekday} {month} {day:02} {hour:02}:{minute:02}:{second:02} UTC {year}")
}

/// As RFC 3339 has it, in UTC: `2026-11-21T11:22:06.042Z`.
pub fn iso_date(at_ms: i64) -> String {
    let (day, milli) = (at_ms.div_euclid(86_400_000), at_ms.rem_euclid(86_400_000));
    let (second, milli) = (milli / 1000, milli % 1000);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let (year, month, day) = calendar_day(day);
    let month = month + 1;
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
}

/// Year, month (0 to 11) and day of the month. Counts in years that begin in March, so that a leap day
/// is the last of its year.
fn calendar_day(days_since_1970: i64) -> (i64, usize, i64) {
    /// From 1 March 0000 to 1 January 1970.
    const DAYS_BEFORE: i64 = 719_468;
    const DAYS_OF_400_YEARS: i64 = 146_097;
    let days = days_since_1970 + DAYS_BEFORE;
    let (era, day_of_era) =
        (days.div_euclid(DAYS_OF_400_YEARS), days.rem_euclid(DAYS_OF_400_YEARS));
    let leap_days = day_of_era / 1460 - day_of_era / 36_524 + day_of_era / 146_096;
    let year_of_era = (day_of_era - leap_days) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    // 153 days are five months from March on, and again from August on.
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 2 } else { month - 10 };
    let year = era * 400 + year_of_era + i64::from(month < 2);
    (year, month as usize, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_reads_as_java_prints_it() {
        for (seconds, text) in [
            (0, "Thu Jan 01 00:00:00 UTC 1970"),
            (1_795_260_190, "Sat Nov 21 11:23:10 UTC 2026"),
            (951_782_400, "Tue Feb 29 00:00:00 UTC 2000"),
            (951_868_799, "Tue Feb 29 23:59:59 UTC 2000"),
            (951_868_800, "Wed Mar 01 00:00:00 UTC 2000"),
            (4_107_542_400, "Mon Mar 01 00:00:00 UTC 2100"),
            (1_767_225_599, "Wed Dec 31 23:59:59 UTC 2025"),
            (-1, "Wed Dec 31 23:59:59 UTC 1969"),
        ] {
            assert_eq!(java_date(seconds * 1000), text);
            assert_eq!(java_date(seconds * 1000 + 999), text, "milliseconds are not shown");
        }
    }

    #[test]
    fn a_date_has_its_milliseconds() {
        assert_eq!(iso_date(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(iso_date(951_827_696_042), "2000-02-29T12:34:56.042Z");
        assert_eq!(iso_date(-1), "1969-12-31T23:59:59.999Z");
    }
}
