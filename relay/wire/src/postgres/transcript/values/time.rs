//! Binary dates and times: days and microseconds since 2000-01-01.

pub(super) fn date(value: &[u8]) -> Option<String> {
    match i32::from_be_bytes(value.try_into().ok()?) {
        i32::MAX => Some("infinity".to_owned()),
        i32::MIN => Some("-infinity".to_owned()),
        days => {
            let (date, era) = civil(i64::from(days));
            Some(date + era)
        }
    }
}

pub(super) fn time(value: &[u8]) -> Option<String> {
    let micros = i64::from_be_bytes(value.try_into().ok()?);
    (0..=DAY).contains(&micros).then(|| clock(micros))
}

pub(super) fn timestamp(value: &[u8]) -> Option<String> {
    moment(value, "")
}

pub(super) fn timestamptz(value: &[u8]) -> Option<String> {
    moment(value, "+00")
}

/// Microseconds, days and months, which PostgreSQL keeps apart.
pub(super) fn interval(value: &[u8]) -> Option<String> {
    let (micros, rest) = value.split_first_chunk::<8>()?;
    let (days, rest) = rest.split_first_chunk::<4>()?;
    let micros = i64::from_be_bytes(*micros);
    let days = i32::from_be_bytes(*days);
    let months = i32::from_be_bytes(rest.try_into().ok()?);
    let mut parts = Vec::new();
    for (count, unit) in [(months / 12, "year"), (months % 12, "mon"), (days, "day")] {
        match count {
            0 => {}
            1 => parts.push(format!("1 {unit}")),
            _ => parts.push(format!("{count} {unit}s")),
        }
    }
    if micros != 0 || parts.is_empty() {
        let sign = if micros < 0 { "-" } else { "" };
        // The smallest number has no positive twin; one microsecond less is told.
        parts.push(format!("{sign}{}", clock(micros.saturating_abs())));
    }
    Some(parts.join(" "))
}

fn moment(value: &[u8], zone: &str) -> Option<String> {
    match i64::from_be_bytes(value.try_into().ok()?) {
        i64::MAX => Some("infinity".to_owned()),
        i64::MIN => Some("-infinity".to_owned()),
        micros => {
            let (date, era) = civil(micros.div_euclid(DAY));
            Some(format!("{date} {}{zone}{era}", clock(micros.rem_euclid(DAY))))
        }
    }
}

/// Year, month and day of the Gregorian calendar, and the era: years before 1 are counted backwards from 1 BC.
/// Years are counted from March here, so that the leap day is a year's last; 400 such years have 146,097 days.
fn civil(days_since_2000: i64) -> (String, &'static str) {
    let days = days_since_2000 + DAYS_0000_03_01_TO_2000;
    let (cycle, day) = (days.div_euclid(DAYS_400_YEARS), days.rem_euclid(DAYS_400_YEARS));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let year = year + 400 * cycle + i64::from(month >= 10);
    let month = if month < 10 { month + 3 } else { month - 9 };
    let (year, era) = if year > 0 { (year, "") } else { (1 - year, " BC") };
    (format!("{year:04}-{month:02}-{day:02}"), era)
}

/// Hours, minutes, seconds, and a fraction without zeros at its end.
fn clock(micros: i64) -> String {
    let (seconds, fraction) = (micros / 1_000_000, micros % 1_000_000);
    let clock = format!("{:02}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60);
    if fraction == 0 {
        return clock;
    }
    format!("{clock}.{}", format!("{fraction:06}").trim_end_matches('0'))
}

/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;

const DAYS_400_YEARS: i64 = 146_097;

/// Days from 0000-03-01 to 2000-01-01.
const DAYS_0000_03_01_TO_2000: i64 = 730_425;
