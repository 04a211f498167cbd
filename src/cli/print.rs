//! What commands print: tables for people, JSON for programs, one answer on standard output; advice and progress on standard error.

use std::io::{self, IsTerminal, Write};

use comfy_table::{ContentArrangement, Table, presets};
use serde_json::Value;

use super::Failure;
use super::client::List;

/// Prints a line.
///
/// # Errors
/// When standard output takes nothing, except because its reader has seen enough, as `head` has.
pub(super) fn line(text: &str) -> Result<(), Failure> {
    match writeln!(io::stdout(), "{text}") {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// Prints a value as one line of JSON.
///
/// # Errors
/// As [`line()`].
pub(super) fn json(value: &Value) -> Result<(), Failure> {
    line(&value.to_string())
}

/// Says something to the person in front, which is no part of the answer.
pub(super) fn advice(text: &str) {
    // Where standard error is closed, nobody wants advice.
    let _ = writeln!(io::stderr(), "{text}");
}

/// Prints a list: JSON as the API gives it, or a table of `columns`, and whether there is more.
///
/// # Errors
/// As [`line()`].
pub(super) fn list<const N: usize>(
    list: List,
    as_json: bool,
    headings: [&str; N],
    columns: impl Fn(&Value) -> [String; N],
) -> Result<(), Failure> {
    if as_json {
        return json(&serde_json::json!({"items": list.items, "next_cursor": list.next_cursor}));
    }
    if list.items.is_empty() {
        advice("None.");
        return Ok(());
    }
    let mut table = plain_table();
    table.set_header(headings);
    for item in &list.items {
        table.add_row(columns(item));
    }
    line(&trimmed(&table))?;
    if !list.next_cursor.is_null() {
        advice("There are more: raise --limit to see them.");
    }
    Ok(())
}

/// Prints one thing: JSON as the API gives it, or a name and a value a line.
///
/// # Errors
/// As [`line()`].
pub(super) fn object(value: &Value, as_json: bool, rows: &[(&str, String)]) -> Result<(), Failure> {
    if as_json {
        return json(value);
    }
    let mut table = plain_table();
    for (name, text) in rows {
        table.add_row([*name, text]);
    }
    line(&trimmed(&table))
}

/// A member as text for people: nothing as `-`, and without what a terminal would obey.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => shown(text),
        Value::Array(items) if items.is_empty() => "-".to_owned(),
        Value::Array(items) => items.iter().map(text_of_item).collect::<Vec<_>>().join(" "),
        other => shown(&other.to_string()),
    }
}

/// A moment for people: to the second.
pub(super) fn moment(value: &Value) -> String {
    let text = text(value);
    match text.split_once('.') {
        Some((seconds, _)) => format!("{seconds}Z"),
        None => text,
    }
}

/// How far a long command is, for whoever looks at it.
pub(super) struct Progress {
    what: &'static str,
    is_watched: bool,
    shown: bool,
}

impl Progress {
    /// Counts `what`; silent where standard error is no terminal.
    pub(super) fn new(what: &'static str) -> Self {
        Self {
            what,
            is_watched: io::stderr().is_terminal(),
            shown: false,
        }
    }

    /// There are `count` now.
    pub(super) fn at(&mut self, count: usize) {
        if self.is_watched {
            self.shown = true;
            let _ = write!(io::stderr(), "\r{count} {}", self.what);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown {
            // The line is for the work alone: the answer follows.
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

fn text_of_item(item: &Value) -> String {
    text(item)
}

/// Names come from whoever may make something, so they may hold what moves a terminal's cursor or turns its text around.
fn shown(text: &str) -> String {
    let turns = |character| matches!(character, '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars()
        .map(|character| {
            if character.is_control() || turns(character) {
                char::REPLACEMENT_CHARACTER
            } else {
                character
            }
        })
        .collect()
}

fn plain_table() -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled);
    table
}

/// Columns are filled up with blanks, which nobody needs at the end of a line.
fn trimmed(table: &Table) -> String {
    let lines: Vec<String> = table.lines().map(|line| line.trim().to_owned()).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nothing_that_a_terminal_obeys_is_shown() {
        assert_eq!(
            text(&json!("a\u{1b}[31mb\n\u{202e}c")),
            "a\u{fffd}[31mb\u{fffd}\u{fffd}c"
        );
        assert_eq!(text(&json!(null)), "-");
        assert_eq!(text(&json!(["a", "b"])), "a b");
    }

    #[test]
    fn moments_are_told_to_the_second() {
        assert_eq!(
            moment(&json!("2026-11-22T09:00:00.123456Z")),
            "2026-11-22T09:00:00Z"
        );
        assert_eq!(
            moment(&json!("2026-11-22T09:00:00Z")),
            "2026-11-22T09:00:00Z"
        );
        assert_eq!(moment(&json!(null)), "-");
    }
}
