//! The blocks of a page.

use super::{Filter, Form, Value};
use crate::dashboard::language::Text;
use crate::dashboard::markup::Markup;

/// How something is meant. Never told by colour alone: there is always a word or a sign beside it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tone {
    /// Neither good nor bad.
    #[default]
    Plain,
    /// The one main action.
    Accent,
    /// Good.
    Ok,
    /// To be looked at.
    Warn,
    /// It stops something, or is stopped.
    Danger,
}

impl Tone {
    /// The class in the style sheet.
    pub fn class(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Accent => "accent",
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Danger => "danger",
        }
    }
}

/// A block.
#[derive(Clone, Debug)]
pub enum Block {
    /// A message.
    Notice(Notice),
    /// A heading of the second level; the id is for links to it.
    Heading {
        /// Its words.
        text: Text,
        /// Its place in the page.
        id: &'static str,
    },
    /// A paragraph.
    Paragraph(Value),
    /// Names and values.
    Facts(Vec<Fact>),
    /// A table.
    Table(Table),
    /// Where the list goes on.
    Pager(Pager),
    /// Nothing is there yet, or nothing fits.
    Empty(Empty),
    /// What narrows a list.
    Filter(Filter),
    /// A form.
    Form(Box<Form>),
    /// Links to what can be done.
    Actions(Vec<Action>),
    /// A chart of bars.
    Chart(Chart),
    /// A secret that is shown this once.
    Secret {
        /// What it is.
        label: Text,
        /// The secret.
        text: String,
        /// What the button says.
        copy: Text,
    },
    /// Ready lines to be pasted.
    Lines(Lines),
    /// Steps.
    Guide(Guide),
}

/// A message.
#[derive(Clone, Debug)]
pub struct Notice {
    /// How it is meant.
    pub tone: Tone,
    /// What it says.
    pub text: Value,
    /// Links to the fields that are wrong: the field's id and its message.
    pub fields: Vec<(String, Text)>,
    /// Whether it tells that something was done, or is wrong, just now.
    pub is_news: bool,
}

/// A step of the way here.
#[derive(Clone, Debug)]
pub struct Crumb {
    /// Its words.
    pub label: Value,
    /// Where it leads.
    pub href: String,
}

/// A link to something that can be done.
#[derive(Clone, Debug)]
pub struct Action {
    /// Its words.
    pub label: Text,
    /// Where it leads.
    pub href: String,
    /// How it is meant.
    pub tone: Tone,
}

/// A name and its value.
#[derive(Clone, Debug)]
pub struct Fact {
    /// The name.
    pub name: Text,
    /// The value.
    pub value: Value,
}

/// A table; a list of cards where there is no room for it.
#[derive(Clone, Debug)]
pub struct Table {
    /// What it shows, for those who do not see what stands around it.
    pub caption: Text,
    /// Its columns.
    pub columns: Vec<Column>,
    /// Its rows.
    pub rows: Vec<Row>,
}

/// A column.
#[derive(Clone, Debug)]
pub struct Column {
    /// Its heading.
    pub title: Text,
    /// Whether it holds numbers, which stand right.
    pub numeric: bool,
}

impl Column {
    /// A column of texts.
    pub fn new(title: Text) -> Self {
        Self {
            title,
            numeric: false,
        }
    }

    /// A column of numbers.
    pub fn numeric(title: Text) -> Self {
        Self {
            title,
            numeric: true,
        }
    }
}

/// A row: the first cell is what it is called.
#[derive(Clone, Debug)]
pub struct Row {
    /// One for each column.
    pub cells: Vec<Value>,
}

/// Where a list goes on.
#[derive(Clone, Debug, Default)]
pub struct Pager {
    /// How many there are, in words.
    pub count: Option<Text>,
    /// The page before.
    pub newer: Option<String>,
    /// The page behind.
    pub older: Option<String>,
    /// What the two links say.
    pub labels: Option<(Text, Text)>,
}

/// Nothing is there.
#[derive(Clone, Debug)]
pub struct Empty {
    /// What it is for.
    pub text: Text,
    /// The first action.
    pub action: Option<Action>,
}

/// A chart of bars, one a day.
#[derive(Clone, Debug)]
pub struct Chart {
    /// What it shows.
    pub title: Text,
    /// The drawing.
    pub svg: Markup,
    /// What the top of its scale stands for.
    pub top: String,
    /// The first and the last day.
    pub ends: (String, String),
    /// The same as a table, for those who do not see it: its summary.
    pub summary: Text,
    /// The headings of its columns.
    pub columns: Vec<Text>,
    /// Its rows.
    pub rows: Vec<ChartRow>,
}

/// A row of a chart's table.
#[derive(Clone, Debug)]
pub struct ChartRow {
    /// The day.
    pub name: String,
    /// The numbers.
    pub values: Vec<String>,
}

/// Ready lines, in several languages.
#[derive(Clone, Debug)]
pub struct Lines {
    /// The name of the group: only one of it is open at a time.
    pub group: &'static str,
    /// One for each language.
    pub snippets: Vec<Snippet>,
    /// What the button says.
    pub copy: Text,
}

/// Lines to be pasted.
#[derive(Clone, Debug)]
pub struct Snippet {
    /// The language or program.
    pub name: String,
    /// The lines.
    pub text: String,
}

/// Steps to take.
#[derive(Clone, Debug)]
pub struct Guide {
    /// Each with what to do.
    pub steps: Vec<Value>,
}

macro_rules! from {
    ($($type:ident),*) => {$(
        impl From<$type> for Block {
            fn from(block: $type) -> Self {
                Self::$type(block)
            }
        }
    )*};
}

from!(Notice, Table, Pager, Empty, Filter, Chart, Lines, Guide);

impl From<Form> for Block {
    fn from(form: Form) -> Self {
        Self::Form(Box::new(form))
    }
}

impl Notice {
    /// A message that is part of the page.
    pub fn new(tone: Tone, text: impl Into<Value>) -> Self {
        Self {
            tone,
            text: text.into(),
            fields: Vec::new(),
            is_news: false,
        }
    }

    /// A message on what just happened.
    pub fn news(tone: Tone, text: impl Into<Value>) -> Self {
        Self {
            is_news: true,
            ..Self::new(tone, text)
        }
    }
}
