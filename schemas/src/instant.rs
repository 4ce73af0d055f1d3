//! Times as people and spreadsheets read them: RFC 3339 in UTC. Evidence itself holds microseconds since 1970.

/// `2026-11-20T10:00:00.000001Z` for microseconds since 1970-01-01T00:00:00Z; the plain number with ` µs` where the
/// year would have five digits.
#[must_use]
pub fn rfc3339(time_us: u64) -> String {
    let (seconds, micros) = (time_us / 1_000_000, time_us % 1_000_000);
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    if year > 9999 {
        return format!("{time_us} µs");
    }
    let (hour, minute, second) = (second / 3600, second % 3600 / 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z")
}

/// `2026-11-20`, the day in UTC of microseconds since 1970; nothing where the year would have five digits.
#[must_use]
pub fn day(time_us: u64) -> Option<String> {
    let (year, month, day) = civil(time_us / 86_400_000_000);
    (year <= 9999).then(|| format!("{year:04}-{month:02}-{day:02}"))
}

/// Microseconds since 1970 of a day (`2026-11-20`, its first microsecond) or a time in UTC (`2026-11-20T10:00:00Z`, with
/// or without a fraction of at most six digits); nothing for another text, or a day before 1970.
#[must_use]
pub fn parse(text: &str) -> Option<u64> {
    let (date, time) = match text.split_once('T') {
        Some((date, time)) => (date, time.strip_suffix('Z')?),
        None => (text, "00:00:00"),
    };
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    let (clock, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let [hour, minute, second] = numbers(clock, ':', [2, 2, 2])?;
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let fraction = digits(fraction, fraction.len())
        .filter(|_| fraction.len() <= 6)
        .map(|number| (fraction.len()..6).fold(number, |number, _| number * 10))?;
    let days = days(year, month, day)?;
    Some(((days * 24 + hour) * 3600 + minute * 60 + second) * 1_000_000 + fraction)
}

/// Days from 1970-01-01 to a day; nothing for a day that the calendar does not have.
fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    if year < 1970 || !(1..=12).contains(&month) {
        return None;
    }
    let (shifted, from_march) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let day_of_year = (153 * from_march + 2) / 5 + day.checked_sub(1)?;
    let leaps = shifted / 4 - shifted / 100 + shifted / 400;
    let days = (shifted * 365 + leaps + day_of_year).checked_sub(DAYS_TO_1970_FROM_YEAR_0_MARCH)?;
    (civil(days) == (year, month, day)).then_some(days)
}

fn numbers(text: &str, separator: char, widths: [usize; 3]) -> Option<[u64; 3]> {
    let mut parts = text.split(separator);
    let [first, second, third] = widths.map(|width| parts.next().and_then(|part| digits(part, width)));
    parts.next().is_none().then_some([first?, second?, third?])
}

fn digits(text: &str, width: usize) -> Option<u64> {
    let well_formed = text.len() == width && text.bytes().all(|byte| byte.is_ascii_digit());
    well_formed.then(|| text.parse().ok())?
}

/// Gregorian year, month and day of a number of days since 1970-01-01. Years are counted from March, so that the leap
/// day is the last of its year and months have a regular pattern (153 days every five).
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + DAYS_TO_1970_FROM_YEAR_0_MARCH;
    let (era, day_of_era) = (days / DAYS_IN_400_YEARS, days % DAYS_IN_400_YEARS);
    let leaps = day_of_era / 1_460 + day_of_era / 146_096 - day_of_era / 36_524;
    let year_of_era = (day_of_era - leaps) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

const DAYS_IN_400_YEARS: u64 = 146_097;
const DAYS_TO_1970_FROM_YEAR_0_MARCH: u64 = 719_468;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_fall_where_the_calendar_has_them() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00.000000Z"),
            (951_782_399, "2000-02-28T23:59:59.000000Z"),
            (951_782_400, "2000-02-29T00:00:00.000000Z"),
            (1_709_164_800, "2024-02-29T00:00:00.000000Z"),
            (1_795_168_984, "2026-11-20T10:03:04.000000Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000000Z"),
            (253_402_300_799, "9999-12-31T23:59:59.000000Z"),
        ] {
            assert_eq!(rfc3339(seconds * 1_000_000), text);
        }
        assert_eq!(rfc3339(u64::MAX), "18446744073709551615 µs");
    }

    #[test]
    fn what_is_written_is_read_again() {
        for time_us in [0, 951_782_399_000_001, 951_782_400_000_000, 4_107_542_400_123_456, 253_402_300_799_999_999] {
            assert_eq!(parse(&rfc3339(time_us)), Some(time_us));
        }
        assert_eq!(parse("1970-01-02"), Some(86_400_000_000));
        assert_eq!(parse("2026-11-20T10:03:04.5Z"), Some(1_795_168_984_500_000));
        for bad in [
            "",
            "2026",
            "2026-11-31",
            "2025-02-29",
            "2026-1-1",
            "1969-12-31",
            "2026-00-10",
            "2026-01-00",
            "2026-11-20T10:03:04",
            "2026-11-20T24:00:00Z",
            "2026-11-20T10:03:04+01:00",
            "2026-11-20T10:03:04.1234567Z",
            "2026-11-20T10:03:04.Z",
            "+026-11-20",
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn every_day_follows_the_one_before() {
        let mut before = civil(0);
        for day in 1..200_000 {
            let now = civil(day);
            let next_day = (now.0, now.1) == (before.0, before.1) && now.2 == before.2 + 1;
            let next_month = now.2 == 1 && (now == (before.0, before.1 + 1, 1) || now == (before.0 + 1, 1, 1));
            assert!(next_day || next_month, "{before:?} {now:?}");
            assert_eq!(days(now.0, now.1, now.2), Some(day));
            before = now;
        }
    }
}
