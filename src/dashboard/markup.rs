//! HTML that was made here and is safe to be written as it is. Everything else is a text, and is escaped where it is written.

use std::fmt;

/// HTML, made of escaped parts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Markup(String);

impl Markup {
    /// HTML whose every part was escaped by whoever says so; only modules that build it say it.
    pub(super) fn trusted(html: String) -> Self {
        Self(html)
    }

    /// A text as HTML.
    pub fn text(text: impl AsRef<str>) -> Self {
        Self(escaped(text.as_ref()))
    }

    /// A text in `<code>`.
    pub fn code(text: impl AsRef<str>) -> Self {
        Self(format!("<code>{}</code>", escaped(text.as_ref())))
    }

    /// A text in `<strong>`.
    pub fn strong(text: impl AsRef<str>) -> Self {
        Self(format!("<strong>{}</strong>", escaped(text.as_ref())))
    }

    /// A text that stays on one line.
    pub fn unbroken(text: impl AsRef<str>) -> Self {
        Self(format!(
            "<span class=\"unbroken\">{}</span>",
            escaped(text.as_ref())
        ))
    }

    /// A link to a path of ours.
    pub fn link(href: &str, text: impl AsRef<str>) -> Self {
        Self(format!(
            "<a href=\"{}\">{}</a>",
            escaped(href),
            escaped(text.as_ref())
        ))
    }

    /// The HTML.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Markup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text with the characters escaped that mean something in HTML, in an attribute too.
pub fn escaped(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            letter => html.push(letter),
        }
    }
    html
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_never_markup() {
        let evil = "<img src=x onerror=\"alert('&')\">";
        for html in [
            Markup::text(evil),
            Markup::code(evil),
            Markup::strong(evil),
            Markup::link("/a\"b", evil),
        ] {
            assert!(!html.as_str().contains("<img"), "{html}");
            assert!(!html.as_str().contains("=\"alert"), "{html}");
        }
    }
}
