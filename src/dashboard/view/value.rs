//! What stands in a cell, in a fact, in a sentence.

use crate::dashboard::language::Text;
use crate::dashboard::markup::Markup;

use super::Tone;

/// A value as it is shown.
#[derive(Clone, Debug)]
pub enum Value {
    /// Words of ours.
    Words(Text),
    /// What somebody wrote.
    Data(String),
    /// An id, an identifier, an address.
    Code(String),
    /// A sentence or a time, as markup.
    Html(Markup),
    /// A link by what somebody wrote.
    Link {
        /// Where it leads.
        href: String,
        /// Its text.
        text: String,
    },
    /// A state: a word, never a colour alone.
    Badge {
        /// Good, bad or neither.
        tone: Tone,
        /// The word.
        text: Text,
    },
    /// Names of permissions, the first few and how many more.
    Scopes {
        /// Those that are shown.
        shown: Vec<String>,
        /// "+3".
        more: Option<Text>,
    },
    /// A text with a button that copies it.
    Copy {
        /// The text.
        text: String,
        /// What the button says to those who do not see it.
        label: Text,
    },
    /// A link by words of ours that does something to this row.
    Act {
        /// Where it leads.
        href: String,
        /// Its words.
        text: Text,
        /// What it is about, for those who hear the link alone.
        about: String,
    },
    /// Several, one below the other.
    Lines(Vec<Value>),
    /// Nothing; the words for it are for those who do not see a dash.
    Nothing(Text),
}

impl From<Text> for Value {
    fn from(text: Text) -> Self {
        Self::Words(text)
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Data(text)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Data(text.to_owned())
    }
}

impl From<Markup> for Value {
    fn from(markup: Markup) -> Self {
        Self::Html(markup)
    }
}
