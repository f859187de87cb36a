//! Numbers of bytes: `64KB`, `1.5MB`, and rates such as `10MB/s`. A KB has 1000 bytes, a KiB 1024.

/// Larger units first.
const UNITS: [(&str, u64); 7] = [
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("KB", 1_000),
    ("B", 1),
];

/// `300B`, `64KB`, `1.5MB`.
pub fn bytes(text: &str) -> Option<u64> {
    let (number, unit) =
        UNITS.iter().find_map(|(unit, size)| Some((text.strip_suffix(unit)?, *size)))?;
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let mut total = whole.parse::<u64>().ok()?.checked_mul(unit)?;
    let mut scale = unit as f64;
    for digit in part.chars() {
        scale /= 10.0;
        total = total.checked_add((f64::from(digit.to_digit(10)?) * scale) as u64)?;
    }
    Some(total)
}

/// `10MB/s`, in bytes a second.
pub fn byte_rate(text: &str) -> Option<u64> {
    bytes(text.strip_suffix("/s")?)
}

/// `64KB` or `1KB..64KB`, read by `one`.
pub fn size_range(text: &str, one: fn(&str) -> Option<u64>) -> Option<(u64, u64)> {
    let (from, to) = text.split_once("..").unwrap_or((text, text));
    let (from, to) = (one(from.trim())?, one(to.trim())?);
    (from <= to).then_some((from, to))
}

/// As [`bytes`] reads it.
pub fn show_bytes(bytes: u64) -> String {
    let fits = |(_, size): &&(&str, u64)| bytes > 0 && bytes.is_multiple_of(*size);
    let decimal = UNITS.iter().filter(|(unit, _)| !unit.contains('i'));
    let (unit, size) = decimal.clone().find(fits).unwrap_or(&UNITS[6]);
    format!("{}{unit}", bytes / size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units_and_fractions() {
        assert_eq!(bytes("64KB"), Some(64_000));
        assert_eq!(bytes("64KiB"), Some(65_536));
        assert_eq!(bytes("1.5MB"), Some(1_500_000));
        assert_eq!(bytes("7B"), Some(7));
        assert_eq!(bytes("7"), None);
        assert_eq!(bytes("x7KB"), None);
        assert_eq!(byte_rate("10MB/s"), Some(10_000_000));
        assert_eq!(byte_rate("10MB"), None);
        assert_eq!(size_range("1KB..2KB", bytes), Some((1_000, 2_000)));
        assert_eq!(size_range("2KB..1KB", bytes), None);
    }

    #[test]
    fn a_shown_size_reads_back() {
        for size in [0, 1, 999, 64_000, 65_536, 1_500_000, 2_000_000_000] {
            assert_eq!(bytes(&show_bytes(size)), Some(size));
        }
        assert_eq!(show_bytes(64_000), "64KB");
    }
}
