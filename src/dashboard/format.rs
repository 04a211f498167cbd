//! Numbers, days and moments as people of each language write them, in UTC.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::language::Language;

/// A whole number in groups of three, as all three languages write it.
pub fn grouped(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3 + 1);
    if number < 0 {
        text.push('-');
    }
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A day.
pub fn date(language: Language, moment: Timestamp) -> String {
    let civil = TimeZone::UTC.to_datetime(moment);
    let (year, month, day) = (civil.year(), civil.month(), civil.day());
    match language {
        Language::English => format!("{day} {} {year}", month_name(month)),
        Language::Japanese => format!("{year}年{month}月{day}日"),
        Language::Korean => format!("{year}년 {month}월 {day}일"),
    }
}

/// A day and a time, to the minute.
pub fn moment(language: Language, moment: Timestamp) -> String {
    let civil = TimeZone::UTC.to_datetime(moment);
    format!(
        "{} {:02}:{:02} UTC",
        date(language, moment),
        civil.hour(),
        civil.minute()
    )
}

/// A day, short, as below a chart.
pub fn short_day(language: Language, moment: Timestamp) -> String {
    let civil = TimeZone::UTC.to_datetime(moment);
    let (month, day) = (civil.month(), civil.day());
    match language {
        Language::English => format!("{day} {}", month_name(month)),
        Language::Japanese => format!("{month}月{day}日"),
        Language::Korean => format!("{month}월 {day}일"),
    }
}

/// A day as a form has it: `2026-11-28`.
pub fn form_day(moment: Timestamp) -> String {
    TimeZone::UTC.to_datetime(moment).date().to_string()
}

/// The end of a day that a form has, in UTC; `None` if it is none.
pub fn end_of_day(text: &str) -> Option<Timestamp> {
    let day: jiff::civil::Date = text.trim().parse().ok()?;
    let last = day.at(23, 59, 59, 0);
    TimeZone::UTC.to_timestamp(last).ok()
}

fn month_name(month: i8) -> &'static str {
    const NAMES: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let place = usize::try_from(month - 1).unwrap_or_default();
    NAMES.get(place).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests;
