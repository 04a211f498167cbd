//! Dates, moments and numbers as they are told.

use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

#[test]
fn dates_are_those_of_the_language() {
    let day = at("2026-11-08T03:04:05Z");
    assert_eq!(date(Language::English, day), "8 Nov 2026");
    assert_eq!(moment(Language::Japanese, day), "2026年11月8日 03:04 UTC");
    assert_eq!(date(Language::Korean, day), "2026년 11월 8일");
}

#[test]
fn numbers_are_grouped() {
    for (number, text) in [
        (0, "0"),
        (999, "999"),
        (1000, "1,000"),
        (-1234567, "-1,234,567"),
    ] {
        assert_eq!(grouped(number), text);
    }
}

#[test]
fn a_day_of_a_form_ends_with_its_last_second() {
    assert_eq!(end_of_day("2026-11-28"), Some(at("2026-11-28T23:59:59Z")));
    assert_eq!(end_of_day("28.11.2026"), None);
}
