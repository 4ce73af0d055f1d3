//! Binary numbers.

pub(super) fn int2(value: &[u8]) -> Option<String> {
    value.try_into().ok().map(|bytes| i16::from_be_bytes(bytes).to_string())
}

pub(super) fn int4(value: &[u8]) -> Option<String> {
    value.try_into().ok().map(|bytes| i32::from_be_bytes(bytes).to_string())
}

pub(super) fn int8(value: &[u8]) -> Option<String> {
    value.try_into().ok().map(|bytes| i64::from_be_bytes(bytes).to_string())
}

pub(super) fn oid(value: &[u8]) -> Option<String> {
    value.try_into().ok().map(|bytes| u32::from_be_bytes(bytes).to_string())
}

pub(super) fn float4(value: &[u8]) -> Option<String> {
    let number = f32::from_be_bytes(value.try_into().ok()?);
    Some(special(f64::from(number)).unwrap_or_else(|| float(number.to_string(), &format!("{number:e}"))))
}

pub(super) fn float8(value: &[u8]) -> Option<String> {
    let number = f64::from_be_bytes(value.try_into().ok()?);
    Some(special(number).unwrap_or_else(|| float(number.to_string(), &format!("{number:e}"))))
}

/// Four 16-bit fields (number of digits, weight of the first, sign, digits to show behind the point), then digits of
/// base 10,000.
pub(super) fn numeric(value: &[u8]) -> Option<String> {
    let words: Vec<u16> =
        value.chunks(2).map(|pair| pair.try_into().ok().map(u16::from_be_bytes)).collect::<Option<_>>()?;
    let (&[count, weight, sign, scale], digits) = words.split_first_chunk::<4>()?;
    let negative = match sign {
        0x0000 => false,
        0x4000 => true,
        0xc000 => return Some("NaN".to_owned()),
        0xd000 => return Some("Infinity".to_owned()),
        0xf000 => return Some("-Infinity".to_owned()),
        _ => return None,
    };
    let weight = i16::from_be_bytes(weight.to_be_bytes());
    let scale = usize::from(scale);
    let fits = digits.len() == usize::from(count) && digits.iter().all(|digit| *digit < 10_000);
    if !fits || weight.unsigned_abs() > WEIGHT_MAX || scale > SCALE_MAX {
        return None;
    }
    let digit = |place: i16| {
        let index = i32::from(weight) - i32::from(place);
        usize::try_from(index).ok().and_then(|index| digits.get(index)).copied().unwrap_or(0)
    };
    let whole: String = (0..=weight.max(0)).rev().map(|place| format!("{:04}", digit(place))).collect();
    let whole = whole.trim_start_matches('0');
    let mut out = format!("{}{}", if negative { "-" } else { "" }, if whole.is_empty() { "0" } else { whole });
    if scale > 0 {
        let groups = i16::try_from(scale.div_ceil(4)).ok()?;
        let fraction: String = (1..=groups).map(|place| format!("{:04}", digit(-place))).collect();
        out.push('.');
        out.push_str(fraction.get(..scale)?);
    }
    Some(out)
}

fn special(number: f64) -> Option<String> {
    if number.is_nan() {
        Some("NaN".to_owned())
    } else if number.is_infinite() {
        Some(if number > 0.0 { "Infinity" } else { "-Infinity" }.to_owned())
    } else {
        None
    }
}

/// The shortest digits that give the same number; with an exponent where PostgreSQL uses one.
fn float(plain: String, scientific: &str) -> String {
    let exponent: i32 = scientific.split_once('e').and_then(|(_, exponent)| exponent.parse().ok()).unwrap_or(0);
    if (-4..15).contains(&exponent) {
        return plain;
    }
    let mantissa = scientific.split_once('e').map_or(scientific, |(mantissa, _)| mantissa);
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.unsigned_abs())
}

/// Most groups of four digits in front of the point: a value of a few bytes may stand for 131,072 digits, which
/// nobody reads and which would fill the memory of a replay.
const WEIGHT_MAX: u16 = 250;

/// Most digits behind the point.
const SCALE_MAX: usize = 1_000;
