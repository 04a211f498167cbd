//! Moments as seen from now, and how long something lasts. Times are told in UTC, which the pages say; a script shows the reader's own
//! beside.

use jiff::{SignedDuration, Timestamp};

use super::format::{date, moment};
use super::language::{Text, Words};
use super::markup::{Markup, escaped};

/// How far a moment may lie away to be told from now on ("3 minutes ago") rather than by its date.
const NEAR: SignedDuration = SignedDuration::from_hours(24 * 7);

/// Tells moments as seen from now.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    words: Words,
    now: Timestamp,
}

impl Times {
    /// From this moment on, in these words.
    pub fn new(words: Words, now: Timestamp) -> Self {
        Self { words, now }
    }

    /// A moment as markup: relative up to a week, then the date; exact in its title.
    pub fn tell(&self, moment: Timestamp) -> Markup {
        self.element(moment, self.words_for(moment).as_str())
    }

    /// A moment as markup, exact.
    pub fn exact(&self, at: Timestamp) -> Markup {
        self.element(at, &moment(self.words.language(), at))
    }

    fn element(&self, at: Timestamp, text: &str) -> Markup {
        let exact = moment(self.words.language(), at);
        Markup::trusted(format!(
            "<time datetime=\"{}\" title=\"{}\">{}</time>",
            escaped(&at.to_string()),
            escaped(&exact),
            escaped(text)
        ))
    }

    fn words_for(&self, moment: Timestamp) -> Text {
        let away = self.now.duration_since(moment);
        let (ahead, away) = (away.is_negative(), away.abs());
        if away > NEAR {
            return self
                .words
                .one("time-date", "date", date(self.words.language(), moment));
        }
        let (minutes, hours) = (away.as_mins(), away.as_hours());
        let (unit, number) = if minutes < 1 {
            return self.words.t(if ahead { "time-soon" } else { "time-now" });
        } else if hours < 1 {
            ("minutes", minutes)
        } else if hours < 24 {
            ("hours", hours)
        } else {
            ("days", hours / 24)
        };
        let key = match (ahead, unit) {
            (false, "minutes") => "time-minutes-ago",
            (false, "hours") => "time-hours-ago",
            (false, _) => "time-days-ago",
            (true, "minutes") => "time-in-minutes",
            (true, "hours") => "time-in-hours",
            (true, _) => "time-in-days",
        };
        self.words.one(key, "count", number)
    }

    /// How long something lasts, in the largest unit that fits it.
    pub fn span(&self, seconds: i64) -> Text {
        let (key, number) = match seconds {
            seconds if seconds % 86_400 == 0 && seconds > 0 => ("span-days", seconds / 86_400),
            seconds if seconds % 3_600 == 0 && seconds > 0 => ("span-hours", seconds / 3_600),
            seconds if seconds % 60 == 0 && seconds > 0 => ("span-minutes", seconds / 60),
            seconds => ("span-seconds", seconds),
        };
        match key {
            "span-days" => self.words.one("span-days", "count", number),
            "span-hours" => self.words.one("span-hours", "count", number),
            "span-minutes" => self.words.one("span-minutes", "count", number),
            _ => self.words.one("span-seconds", "count", number),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dashboard::language::Language;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_moment_is_told_from_now_up_to_a_week() {
        let times = Times::new(Words::new(Language::English), at("2026-11-28T12:00:00Z"));
        for (moment, told) in [
            ("2026-11-28T11:59:40Z", "just now"),
            ("2026-11-28T11:59:00Z", "1 minute ago"),
            ("2026-11-28T09:00:00Z", "3 hours ago"),
            ("2026-11-26T12:00:00Z", "2 days ago"),
            ("2026-11-30T12:00:00Z", "in 2 days"),
            ("2026-11-01T12:00:00Z", "1 Nov 2026"),
        ] {
            let html = times.tell(at(moment));
            assert!(html.as_str().contains(&format!(">{told}<")), "{html}");
        }
    }
}
