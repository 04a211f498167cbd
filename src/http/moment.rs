//! Times in requests: RFC 3339, to the microsecond.

use jiff::Timestamp;
use serde::Deserialize;
use thiserror::Error;

/// A time as a caller writes it, `2026-11-22T09:00:00Z`. Digits beyond microseconds, which no table keeps, are cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Moment(pub Timestamp);

/// The text is not such a time. It does not repeat the text, as jiff's own errors would.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("must be a time as RFC 3339 writes it, such as 2026-11-22T09:00:00Z")]
pub struct ParseMomentError;

impl TryFrom<String> for Moment {
    type Error = ParseMomentError;

    fn try_from(text: String) -> Result<Self, ParseMomentError> {
        if !has_shape(text.as_bytes()) {
            return Err(ParseMomentError);
        }
        let moment: Timestamp = text.parse().map_err(|_| ParseMomentError)?;
        Timestamp::from_microsecond(moment.as_microsecond())
            .map(Self)
            .map_err(|_| ParseMomentError)
    }
}

/// Whether it is `date-time` of RFC 3339 §5.6, which is narrower than what jiff reads: no basic format, no `[zone]`, no sign
/// before the year. The numbers themselves jiff judges.
fn has_shape(text: &[u8]) -> bool {
    let Some((start, rest)) = text.split_first_chunk::<19>() else {
        return false;
    };
    let separated = start.iter().enumerate().all(|(index, byte)| match index {
        4 | 7 => *byte == b'-',
        10 => matches!(byte, b'T' | b't'),
        13 | 16 => *byte == b':',
        _ => byte.is_ascii_digit(),
    });
    let offset = match rest.strip_prefix(b".") {
        None => rest,
        Some(rest) => {
            let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
            if digits == 0 {
                return false;
            }
            &rest[digits..]
        }
    };
    let offset = match offset {
        [b'Z' | b'z'] => true,
        [b'+' | b'-', h1, h2, b':', m1, m2] => {
            [h1, h2, m1, m2].iter().all(|byte| byte.is_ascii_digit())
        }
        _ => false,
    };
    separated && offset
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_rfc_3339_are_read() {
        for (text, expected) in [
            ("2026-11-22T09:00:00Z", "2026-11-22T09:00:00Z"),
            ("2026-11-22t09:00:00z", "2026-11-22T09:00:00Z"),
            ("2026-11-22T09:00:00.25+02:00", "2026-11-22T07:00:00.25Z"),
            (
                "2026-11-22T09:00:00.123456789Z",
                "2026-11-22T09:00:00.123456Z",
            ),
        ] {
            let Moment(moment) = text.to_owned().try_into().unwrap();
            assert_eq!(moment.to_string(), expected);
        }
    }

    #[test]
    fn other_spellings_are_refused() {
        for text in [
            "",
            "2026-11-22",
            "2026-11-22T09:00Z",
            "2026-11-22T09:00:00",
            "2026-11-22 09:00:00Z",
            "20261122T090000Z",
            "2026-11-22T09:00:00.Z",
            "2026-11-22T09:00:00+02",
            "2026-11-22T09:00:00Z[UTC]",
            "2026-13-22T09:00:00Z",
            "2026-11-22T25:00:00Z",
            "+002026-11-22T09:00:00Z",
            "1763802000",
        ] {
            assert_eq!(
                Moment::try_from(text.to_owned()),
                Err(ParseMomentError),
                "{text}"
            );
        }
    }
}
