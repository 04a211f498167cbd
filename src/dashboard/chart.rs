//! Charts of bars as inline SVG, drawn here: no script, and a table beside for those who do not see it.

use std::fmt::Write as _;

use super::format::{date, grouped, short_day};
use super::language::{Text, Words};
use super::markup::{Markup, escaped};
use super::times::Times;
use super::view::{Chart, ChartRow};
use crate::store::key_usage::{DayCount, start_of};

/// The drawing, in units of its own: it is stretched to the room that there is, so it holds no letters.
const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 160.0;

/// How often something was used by day, refusals apart.
pub fn by_day(words: Words, title: Text, days: &[DayCount]) -> Chart {
    let rows = days
        .iter()
        .rev()
        .filter(|day| day.exchanges > 0 || day.refusals > 0)
        .map(|day| ChartRow {
            name: date(words.language(), start_of(day.day)),
            values: vec![grouped(day.exchanges), grouped(day.refusals)],
        })
        .collect();
    let name = |day: Option<&DayCount>| {
        let day = day.map(|day| short_day(words.language(), start_of(day.day)));
        day.unwrap_or_default()
    };
    Chart {
        top: grouped(top(days)),
        ends: (name(days.first()), name(days.last())),
        svg: drawing(words, &title, days),
        title,
        summary: words.t("chart-table"),
        columns: vec![
            words.t("chart-day"),
            words.t("chart-exchanges"),
            words.t("chart-refusals"),
        ],
        rows,
    }
}

/// What all days together say.
pub fn total(words: Words, days: &[DayCount]) -> Text {
    let exchanges: i64 = days.iter().map(|day| day.exchanges).sum();
    let refusals: i64 = days.iter().map(|day| day.refusals).sum();
    words.with(
        "chart-total",
        [
            ("exchanges", exchanges.into()),
            ("refusals", refusals.into()),
            ("days", days.len().into()),
        ],
    )
}

/// What the top of the scale stands for.
fn top(days: &[DayCount]) -> i64 {
    let most = days.iter().map(|day| day.exchanges + day.refusals).max();
    round_up(most.unwrap_or(0))
}

fn drawing(words: Words, title: &Text, days: &[DayCount]) -> Markup {
    let scale = HEIGHT / as_float(top(days).max(1));
    let step = WIDTH / as_float(i64::try_from(days.len().max(1)).unwrap_or(1));
    let mut svg = format!(
        "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"{}\">",
        escaped(&format!("{title}. {}", total(words, days)))
    );
    // Writing into a String cannot fail.
    for y in [0.0, HEIGHT / 2.0] {
        let _ = write!(
            svg,
            "<line class=\"rule\" x1=\"0\" x2=\"{WIDTH}\" y1=\"{y}\" y2=\"{y}\"/>"
        );
    }
    for (place, day) in (0i64..).zip(days) {
        let x = as_float(place) * step + step * 0.15;
        let width = step * 0.7;
        let used = as_float(day.exchanges) * scale;
        let refused = as_float(day.refusals) * scale;
        let told = words.with(
            "chart-bar",
            [
                ("day", date(words.language(), start_of(day.day)).into()),
                ("exchanges", day.exchanges.into()),
                ("refusals", day.refusals.into()),
            ],
        );
        if day.exchanges + day.refusals > 0 {
            let _ = write!(svg, "<g><title>{}</title>", escaped(told.as_str()));
            for (class, height, y) in [
                ("bar", used, HEIGHT - used),
                ("refused", refused, HEIGHT - used - refused),
            ] {
                if height > 0.0 {
                    let height = height.max(1.5);
                    let y = y.min(HEIGHT - height);
                    let _ = write!(
                        svg,
                        "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\"/>"
                    );
                }
            }
            svg.push_str("</g>");
        }
    }
    let _ = write!(
        svg,
        "<line class=\"base\" x1=\"0\" x2=\"{WIDTH}\" y1=\"{HEIGHT}\" y2=\"{HEIGHT}\"/></svg>"
    );
    Markup::trusted(svg)
}

/// The next number of 1, 2 or 5 and zeroes.
fn round_up(number: i64) -> i64 {
    let mut step = 1;
    loop {
        for factor in [1, 2, 5] {
            if factor * step >= number {
                return factor * step;
            }
        }
        step *= 10;
    }
}

fn as_float(number: i64) -> f64 {
    // Counts of a day, far below where a float loses whole numbers.
    number as f64
}

/// What a key's last use was, in words.
pub fn last_use(words: Words, times: &Times, at: Option<jiff::Timestamp>) -> super::view::Value {
    match at {
        Some(at) => times.tell(at).into(),
        None => Markup::unbroken(words.t("never-used").as_str()).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dashboard::language::Language;

    #[test]
    fn a_scale_ends_with_a_round_number() {
        for (most, top) in [
            (0, 1),
            (1, 1),
            (3, 5),
            (9, 10),
            (11, 20),
            (51, 100),
            (1234, 2000),
        ] {
            assert_eq!(round_up(most), top, "{most}");
        }
    }

    #[test]
    fn a_day_is_a_bar_and_a_row() {
        let words = Words::new(Language::English);
        let day = |day, exchanges, refusals| DayCount {
            day,
            exchanges,
            refusals,
        };
        let chart = by_day(
            words,
            words.t("chart-key"),
            &[day(20_000, 0, 0), day(20_001, 40, 2), day(20_002, 10, 0)],
        );
        assert_eq!(chart.rows.len(), 2);
        assert_eq!(chart.svg.as_str().matches("<rect").count(), 3);
        assert_eq!(chart.rows[1].values, ["40", "2"]);
    }
}
