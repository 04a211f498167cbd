//! Forms: what is asked, with its label, its help and its error beside it.

use super::{Tone, Value};
use crate::dashboard::language::Text;

/// A form that changes something.
#[derive(Clone, Debug)]
pub struct Form {
    /// Where it goes.
    pub action: String,
    /// The token that shows that it came from one of our pages.
    pub token: String,
    /// What it carries along.
    pub hidden: Vec<(&'static str, String)>,
    /// What it asks.
    pub parts: Vec<Part>,
    /// What its button says.
    pub submit: Text,
    /// How the button is meant.
    pub tone: Tone,
    /// The way back: words and where.
    pub cancel: Option<(Text, String)>,
    /// What a script makes of it: `passkey-create`, `passkey-get`, and with which values.
    pub script: Option<(&'static str, String)>,
    /// Whether it is a button in a row rather than a form of its own.
    pub inline: bool,
}

impl Form {
    /// A form that goes there.
    pub fn new(action: impl Into<String>, submit: Text) -> Self {
        Self {
            action: action.into(),
            token: String::new(),
            hidden: Vec::new(),
            parts: Vec::new(),
            submit,
            tone: Tone::Accent,
            cancel: None,
            script: None,
            inline: false,
        }
    }

    /// Asking one more thing.
    pub fn part(mut self, part: impl Into<Part>) -> Self {
        self.parts.push(part.into());
        self
    }

    /// Asking that too, where it is asked.
    pub fn maybe(mut self, part: Option<impl Into<Part>>) -> Self {
        self.parts.extend(part.map(Into::into));
        self
    }

    /// Carrying something along.
    pub fn hidden(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.hidden.push((name, value.into()));
        self
    }

    /// With a way back.
    pub fn cancel(mut self, label: Text, href: impl Into<String>) -> Self {
        self.cancel = Some((label, href.into()));
        self
    }

    /// As one that stops something.
    pub fn tone(mut self, tone: Tone) -> Self {
        self.tone = tone;
        self
    }

    /// As a button in a row.
    pub fn inline(mut self) -> Self {
        self.inline = true;
        self
    }

    /// The fields that are wrong, with their messages.
    pub fn errors(&self) -> Vec<(String, Text)> {
        fn of_part(part: &Part, found: &mut Vec<(String, Text)>) {
            match part {
                Part::Field(field) => {
                    if let Some(error) = &field.error {
                        found.push((field.id(), error.clone()));
                    }
                }
                Part::Group(group) => group.parts.iter().for_each(|part| of_part(part, found)),
                Part::Picker(picker) => {
                    if let Some(error) = &picker.error {
                        found.push((picker.id().to_owned(), error.clone()));
                    }
                }
                Part::Text(_) | Part::Sentences(_) => {}
            }
        }
        let mut found = Vec::new();
        self.parts.iter().for_each(|part| of_part(part, &mut found));
        found
    }
}

/// A part of a form.
#[derive(Clone, Debug)]
pub enum Part {
    /// A field.
    Field(Box<Field>),
    /// Fields that belong together, or are folded away.
    Group(Group),
    /// Permissions to be ticked.
    Picker(Picker),
    /// A paragraph.
    Text(Value),
    /// What will happen, sentence by sentence.
    Sentences(Vec<Value>),
}

impl From<Field> for Part {
    fn from(field: Field) -> Self {
        Self::Field(Box::new(field))
    }
}

impl From<Group> for Part {
    fn from(group: Group) -> Self {
        Self::Group(group)
    }
}

impl From<Picker> for Part {
    fn from(picker: Picker) -> Self {
        Self::Picker(picker)
    }
}

/// Fields that belong together.
#[derive(Clone, Debug)]
pub struct Group {
    /// What they are about.
    pub title: Text,
    /// Whether they are folded away; and if so, whether open.
    pub folded: Option<bool>,
    /// The fields.
    pub parts: Vec<Part>,
}

/// What kind of field it is.
#[derive(Clone, Debug)]
pub enum Kind {
    /// A line of text.
    Text,
    /// Several lines.
    Area,
    /// A password.
    Password,
    /// A whole number.
    Number {
        /// The least.
        min: i64,
        /// The most.
        max: i64,
    },
    /// A day.
    Date,
    /// One of several, in a list that opens.
    Select(Vec<Choice>),
    /// One of several, all shown.
    Radio(Vec<Choice>),
    /// Several of several, all shown.
    Boxes(Vec<Choice>),
    /// Yes or no.
    Check(bool),
}

/// A field.
#[derive(Clone, Debug)]
pub struct Field {
    /// Its name in what is sent.
    pub name: &'static str,
    /// Its label.
    pub label: Text,
    /// What helps to fill it in.
    pub help: Option<Text>,
    /// What it holds.
    pub value: String,
    /// Its kind.
    pub kind: Kind,
    /// What is wrong with it.
    pub error: Option<Text>,
    /// Whether it must be filled in.
    pub required: bool,
    /// What the browser may fill in by itself (HTML §4.10.18.7).
    pub autocomplete: &'static str,
}

impl Field {
    /// A line of text.
    pub fn text(name: &'static str, label: Text) -> Self {
        Self {
            name,
            label,
            help: None,
            value: String::new(),
            kind: Kind::Text,
            error: None,
            required: false,
            autocomplete: "off",
        }
    }

    /// Another kind.
    pub fn kind(mut self, kind: Kind) -> Self {
        self.kind = kind;
        self
    }

    /// Holding something.
    pub fn value(mut self, value: impl Into<String>) -> Self {
        self.value = value.into();
        self
    }

    /// With help.
    pub fn help(mut self, help: Text) -> Self {
        self.help = Some(help);
        self
    }

    /// One that must be filled in.
    pub fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// One that the browser may fill in.
    pub fn autocomplete(mut self, what: &'static str) -> Self {
        self.autocomplete = what;
        self
    }

    /// With what is wrong with it.
    pub fn error(mut self, error: Option<Text>) -> Self {
        self.error = error;
        self
    }

    /// Its id in the page: of several choices, that of the first.
    pub fn id(&self) -> String {
        match &self.kind {
            Kind::Radio(_) | Kind::Boxes(_) => format!("f-{}-0", self.name),
            _ => format!("f-{}", self.name),
        }
    }

    /// What describes it: its help and its error, where there are any.
    pub fn described_by(&self) -> String {
        let help = self.help.as_ref().map(|_| format!("h-{}", self.name));
        let error = self.error.as_ref().map(|_| format!("e-{}", self.name));
        let ids: Vec<String> = help.into_iter().chain(error).collect();
        ids.join(" ")
    }
}

/// One of several.
#[derive(Clone, Debug)]
pub struct Choice {
    /// What is sent.
    pub value: String,
    /// What it says.
    pub label: ChoiceLabel,
    /// What helps to choose it.
    pub help: Option<String>,
    /// Whether it is chosen.
    pub chosen: bool,
}

/// What a choice says.
#[derive(Clone, Debug)]
pub enum ChoiceLabel {
    /// Words of ours.
    Words(Text),
    /// What somebody wrote.
    Data(String),
}

impl std::fmt::Display for ChoiceLabel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Words(text) => text.fmt(f),
            Self::Data(text) => f.write_str(text),
        }
    }
}

impl Choice {
    /// By words of ours.
    pub fn words(value: impl Into<String>, label: Text, chosen: bool) -> Self {
        Self {
            value: value.into(),
            label: ChoiceLabel::Words(label),
            help: None,
            chosen,
        }
    }

    /// By what somebody wrote.
    pub fn data(value: impl Into<String>, label: impl Into<String>, chosen: bool) -> Self {
        Self {
            value: value.into(),
            label: ChoiceLabel::Data(label.into()),
            help: None,
            chosen,
        }
    }

    /// With help.
    pub fn help(mut self, help: Option<String>) -> Self {
        self.help = help;
        self
    }
}

/// Permissions to be ticked, resource by resource.
#[derive(Clone, Debug)]
pub struct Picker {
    /// The name of each box in what is sent.
    pub name: &'static str,
    /// What it asks.
    pub label: Text,
    /// What helps.
    pub help: Option<Text>,
    /// The resources.
    pub groups: Vec<PickerGroup>,
    /// Whether there are so many that a filter helps.
    pub filter: Option<Text>,
    /// The button that ticks what only reads.
    pub read_only: Text,
    /// The sentence that tells what is ticked: "nothing", and the words before the list.
    pub summary: (Text, Text),
    /// What is wrong.
    pub error: Option<Text>,
}

impl Picker {
    /// Its id in the page.
    pub fn id(&self) -> &'static str {
        "f-permissions"
    }

    /// What describes it.
    pub fn described_by(&self) -> String {
        let help = self.help.as_ref().map(|_| "h-permissions");
        let error = self.error.as_ref().map(|_| "e-permissions");
        let ids: Vec<&str> = help.into_iter().chain(error).collect();
        ids.join(" ")
    }
}

/// Permissions at one resource.
#[derive(Clone, Debug)]
pub struct PickerGroup {
    /// What people call the resource.
    pub title: String,
    /// Its identifier.
    pub identifier: String,
    /// The permissions: what is sent, name, description, ticked.
    pub choices: Vec<Choice>,
}

/// What narrows a list: a form that is sent by `GET`, so that an address keeps it.
#[derive(Clone, Debug)]
pub struct Filter {
    /// The list.
    pub action: String,
    /// What it asks.
    pub fields: Vec<Field>,
    /// What its button says.
    pub submit: Text,
    /// The way to the whole list, if it is narrowed now.
    pub clear: Option<(Text, String)>,
}
