//! What pages are made of: one frame, and blocks that stand in it one below the other.
//!
//! A page is composed in Rust from these few blocks and rendered by one template, so that every list, form and message is the same
//! everywhere: each field has its label, each error stands beside its field, each table has its headings. What the program says is
//! [`Text`], which only the catalogue makes; what people wrote is a `String`.

mod block;
mod form;
mod render;
mod value;

pub use self::block::{
    Action, Block, Chart, ChartRow, Column, Crumb, Empty, Fact, Guide, Lines, Notice, Pager, Row,
    Snippet, Table, Tone,
};
pub use self::form::{
    Choice, ChoiceLabel, Field, Filter, Form, Group, Kind, Part, Picker, PickerGroup,
};
pub use self::value::Value;

use super::language::Text;

/// The content of one page.
#[derive(Clone, Debug)]
pub struct Page {
    /// What it is called: the one heading of the first level, and the start of the title.
    pub title: Text,
    /// What the heading says in place of the title, where it is what somebody wrote: a key's name.
    pub heading: Option<String>,
    /// The way here from above.
    pub crumbs: Vec<Crumb>,
    /// One sentence below the heading.
    pub lead: Option<Text>,
    /// The one main action of the page.
    pub action: Option<Action>,
    /// What stands on it.
    pub blocks: Vec<Block>,
    /// Whether something is wrong with what was sent: the title says so first.
    pub is_error: bool,
    /// Whether it is a form or a text to be read, which is narrow, rather than a list.
    pub narrow: bool,
}

impl Page {
    /// An empty page of this title.
    pub fn new(title: Text) -> Self {
        Self {
            title,
            heading: None,
            crumbs: Vec::new(),
            lead: None,
            action: None,
            blocks: Vec::new(),
            is_error: false,
            narrow: false,
        }
    }

    /// With a heading that somebody wrote.
    pub fn heading(mut self, heading: impl Into<String>) -> Self {
        self.heading = Some(heading.into());
        self
    }

    /// With one more step of the way here.
    pub fn crumb(mut self, label: impl Into<Value>, href: impl Into<String>) -> Self {
        self.crumbs.push(Crumb {
            label: label.into(),
            href: href.into(),
        });
        self
    }

    /// With a sentence below the heading.
    pub fn lead(mut self, lead: Text) -> Self {
        self.lead = Some(lead);
        self
    }

    /// With its main action.
    pub fn action(mut self, label: Text, href: impl Into<String>) -> Self {
        self.action = Some(Action {
            label,
            href: href.into(),
            tone: Tone::Accent,
        });
        self
    }

    /// With one more block.
    pub fn block(mut self, block: impl Into<Block>) -> Self {
        self.blocks.push(block.into());
        self
    }

    /// As narrow as a text is read.
    pub fn narrow(mut self) -> Self {
        self.narrow = true;
        self
    }

    /// As one that tells what is wrong.
    pub fn error_if(mut self, is_error: bool) -> Self {
        self.is_error = is_error;
        self
    }
}
