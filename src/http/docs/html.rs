//! HTML being written, with the one way to put a text into it escaping.

use std::fmt::Write as _;

/// HTML being written: [`Html::raw`] takes what stands in this file, [`Html::text`] everything else.
pub(super) struct Html(pub(super) String);

impl Html {
    pub(super) fn raw(&mut self, markup: &'static str) -> &mut Self {
        self.0.push_str(markup);
        self
    }

    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        for letter in text.chars() {
            match letter {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                other => self.0.push(other),
            }
        }
        self
    }

    pub(super) fn element(&mut self, name: &'static str, text: &str) -> &mut Self {
        // Writing into a string cannot fail.
        let _ = write!(self.0, "<{name}>");
        self.text(text);
        let _ = write!(self.0, "</{name}>");
        self
    }

    pub(super) fn heading(&mut self, name: &'static str, id: &str, text: &str) -> &mut Self {
        let _ = write!(self.0, "<{name} id=\"");
        self.text(id).raw("\">").text(text);
        let _ = write!(self.0, "</{name}>");
        self
    }

    pub(super) fn link(&mut self, id: &str, text: &str) -> &mut Self {
        self.raw("<a href=\"#")
            .text(id)
            .raw("\">")
            .text(text)
            .raw("</a>")
    }

    pub(super) fn paragraphs(&mut self, text: &str) -> &mut Self {
        for paragraph in text
            .split("\n\n")
            .filter(|paragraph| !paragraph.trim().is_empty())
        {
            self.element("p", paragraph);
        }
        self
    }
}
