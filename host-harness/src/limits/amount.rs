//! Amounts as the configuration writes them: `"128 MiB"`, `"2s"`, `1000`.

use std::time::Duration;

use toml::Value;

/// In the names of those that count bytes.
const BYTES: &str = "_bytes";

/// Units of bytes, the largest first.
const UNITS: [(&str, usize); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

/// A bound, or a peak, as a number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Measure {
    Bytes(f64),
    Seconds(f64),
    Number(f64),
}

/// The value of a bound, which is never zero.
pub(super) trait Amount: Sized {
    /// Reads it; an error says what it is to be.
    fn read(name: &str, value: &Value) -> Result<Self, &'static str>;

    /// In text, with its unit.
    fn show(&self, name: &str) -> String;

    /// As a number.
    fn measure(&self, name: &str) -> Measure;

    /// From a peak; none where nothing was seen.
    fn from_peak(peak: u64) -> Option<Self>;
}

impl Amount for usize {
    fn read(name: &str, value: &Value) -> Result<Self, &'static str> {
        let is_bytes = name.contains(BYTES);
        let amount = match value {
            Value::Integer(number) => usize::try_from(*number).ok(),
            Value::String(text) if is_bytes => bytes(text),
            Value::String(text) => text.parse().ok(),
            _ => None,
        };
        amount.filter(|amount| *amount > 0).ok_or(match is_bytes {
            true => "a number of bytes above 0, such as \"64 KiB\", \"128 MiB\" or \"1 GiB\"",
            false => "a whole number above 0, such as 1000",
        })
    }

    fn show(&self, name: &str) -> String {
        if !name.contains(BYTES) {
            return self.to_string();
        }
        let unit = UNITS
            .iter()
            .find(|(_, size)| *self >= *size && self.is_multiple_of(*size));
        let (unit, size) = unit.unwrap_or(&("B", 1));
        format!("{} {unit}", self / size)
    }

    #[allow(clippy::cast_precision_loss, reason = "nobody counts beyond 2^53 one by one")]
    fn measure(&self, name: &str) -> Measure {
        match name.contains(BYTES) {
            true => Measure::Bytes(*self as f64),
            false => Measure::Number(*self as f64),
        }
    }

    fn from_peak(peak: u64) -> Option<Self> {
        (peak > 0).then(|| usize::try_from(peak).unwrap_or(Self::MAX))
    }
}

impl Amount for Duration {
    fn read(_: &str, value: &Value) -> Result<Self, &'static str> {
        let time = value.as_str().and_then(|text| humantime::parse_duration(text).ok());
        time.filter(|time| !time.is_zero())
            .ok_or("a time above 0, such as \"500ms\", \"2s\" or \"1m\"")
    }

    fn show(&self, _: &str) -> String {
        humantime::format_duration(*self).to_string()
    }

    fn measure(&self, _: &str) -> Measure {
        Measure::Seconds(self.as_secs_f64())
    }

    fn from_peak(peak: u64) -> Option<Self> {
        (peak > 0).then(|| Self::from_micros(peak))
    }
}

fn bytes(text: &str) -> Option<usize> {
    let (unit, size) = UNITS.iter().find(|(unit, _)| text.ends_with(unit))?;
    let number: usize = text.strip_suffix(unit)?.trim_end().parse().ok()?;
    number.checked_mul(*size)
}
