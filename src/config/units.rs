//! Durations (`250ms`, `15m`) and sizes (`256KiB`). The unit is always written, so that nobody has to guess it.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::fault::shown;

/// 1024 bytes.
pub(super) const KIB: usize = 1024;
/// 1024 KiB.
pub(super) const MIB: usize = 1024 * KIB;

/// Unit and its length in milliseconds, longest first.
const TIMES: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];
/// Unit and its number of bytes, largest first.
const SIZES: [(&str, u64); 3] = [("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

/// A duration within bounds.
pub(super) fn duration(bounds: RangeInclusive<Duration>) -> impl Fn(&str) -> Result<Duration, String> {
    move |text| match amount(text, &TIMES).map(Duration::from_millis) {
        Some(duration) if bounds.contains(&duration) => Ok(duration),
        read => {
            let problem = if read.is_some() { "is out of bounds" } else { "is not a duration" };
            Err(format!(
                "{} {problem}; write a number and `ms`, `s`, `m`, `h` or `d`, from `{}` to `{}`",
                shown(text),
                with_unit(bounds.start().as_millis(), &TIMES),
                with_unit(bounds.end().as_millis(), &TIMES)
            ))
        }
    }
}

/// A number of bytes within bounds.
pub(super) fn bytes(bounds: RangeInclusive<usize>) -> impl Fn(&str) -> Result<usize, String> {
    move |text| match amount(text, &SIZES).and_then(|bytes| usize::try_from(bytes).ok()) {
        Some(bytes) if bounds.contains(&bytes) => Ok(bytes),
        read => {
            let problem = if read.is_some() { "is out of bounds" } else { "is not a size" };
            Err(format!(
                "{} {problem}; write a number and `B`, `KiB` or `MiB`, from `{}` to `{}`",
                shown(text),
                with_unit(*bounds.start() as u128, &SIZES),
                with_unit(*bounds.end() as u128, &SIZES)
            ))
        }
    }
}

/// `15m` as 900 000 of the smallest unit.
fn amount(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let (digits, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit.trim_start())?;
    digits.parse::<u64>().ok()?.checked_mul(*factor)
}

/// 900 000 of the smallest unit as `15m`.
fn with_unit(amount: u128, units: &[(&str, u64)]) -> String {
    units
        .iter()
        .find(|(_, factor)| amount > 0 && amount.is_multiple_of(u128::from(*factor)))
        .map_or_else(|| "0s".to_owned(), |(unit, factor)| format!("{}{unit}", amount / u128::from(*factor)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_unit_and_bounds() {
        let parse = duration(Duration::ZERO..=Duration::from_hours(24 * 7));
        for (text, milliseconds) in
            [("0s", 0), ("250ms", 250), ("900s", 900_000), ("15m", 900_000), ("12h", 43_200_000), ("7d", 604_800_000)]
        {
            assert_eq!(parse(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
        for text in ["", "5", "s", "-5s", "1.5s", "5x", "8d", "5sec", "99999999999999999999s", "999999999999999999d"] {
            let message = parse(text).unwrap_err();
            assert!(message.contains("from `0s` to `7d`"), "{message}");
        }
    }

    #[test]
    fn sizes_have_a_binary_unit_and_bounds() {
        let parse = bytes(16 * KIB..=16 * MIB);
        assert_eq!(parse("1MiB"), Ok(1_048_576));
        assert_eq!(parse("256 KiB"), Ok(262_144));
        assert_eq!(parse("20000B"), Ok(20_000));
        for text in ["1MB", "1048576", "1KiB", "17MiB", "MiB"] {
            let message = parse(text).unwrap_err();
            assert!(message.ends_with("from `16KiB` to `16MiB`"), "{message}");
        }
    }
}
