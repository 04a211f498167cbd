//! What stands around every page: name and logo, where the person is and may go, language and looks.

use super::assets::Assets;
use super::language::{Language, Text, Words};
use super::markup::{Markup, escaped};
use super::view::Block;

/// Light, dark, or as the system has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Theme {
    /// As the system has it.
    #[default]
    System,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

impl Theme {
    /// The word in the cookie and in the page.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// The one of this word.
    pub fn of_word(word: &str) -> Option<Self> {
        [Self::System, Self::Light, Self::Dark]
            .into_iter()
            .find(|theme| theme.as_str() == word)
    }
}

/// What the pages call themselves.
#[derive(Clone, Debug)]
pub struct Brand {
    /// The name.
    pub name: String,
    /// The address of the logo.
    pub logo: Option<String>,
    /// Whom to ask: a link or a text.
    pub support: Option<Markup>,
}

impl Brand {
    /// That of the configuration.
    pub fn new(config: &crate::config::Dashboard, assets: &Assets) -> Self {
        Self {
            name: config.name.trim().to_owned(),
            logo: assets.logo.as_ref().map(|logo| logo.href.clone()),
            support: config.support.as_deref().map(support),
        }
    }
}

/// A link where it is an address, else the text.
fn support(text: &str) -> Markup {
    let text = text.trim();
    let is_url = text.starts_with("https://") || text.starts_with("http://");
    let is_mail = !is_url && text.contains('@') && !text.contains(char::is_whitespace);
    if is_url {
        return Markup::link(text, text);
    }
    if is_mail {
        return Markup::trusted(format!("<a href=\"mailto:{0}\">{0}</a>", escaped(text)));
    }
    Markup::text(text)
}

/// Addresses of what a page loads.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The style sheet.
    pub style: String,
    /// The colours.
    pub brand: String,
    /// The script.
    pub script: String,
    /// The icon.
    pub icon: String,
}

impl From<&Assets> for Loaded {
    fn from(assets: &Assets) -> Self {
        Self {
            style: assets.style.href.clone(),
            brand: assets.brand.href.clone(),
            script: assets.script.href.clone(),
            icon: assets.icon.href.clone(),
        }
    }
}

/// A link of the frame by words of ours.
#[derive(Clone, Debug)]
pub struct Section {
    /// Its words.
    pub label: Text,
    /// Where it leads.
    pub href: String,
    /// Whether the page is part of it.
    pub current: bool,
}

/// A place that a person can be in: an organization, or the deployment.
#[derive(Clone, Debug)]
pub struct PlaceLink {
    /// What it is called.
    pub label: String,
    /// Where it leads.
    pub href: String,
    /// Whether he is there.
    pub current: bool,
}

/// The places of a person.
#[derive(Clone, Debug)]
pub struct Places {
    /// What the one where he is is called.
    pub current: String,
    /// All of them.
    pub all: Vec<PlaceLink>,
    /// Where the rest is, if there are too many.
    pub more: Option<Section>,
}

/// Who is signed in.
#[derive(Clone, Debug)]
pub struct FramePerson {
    /// What he is called.
    pub name: String,
    /// What he is here.
    pub role: Text,
}

/// What stands around a page.
#[derive(Clone, Debug)]
pub struct Frame {
    /// The words.
    pub words: Words,
    /// Light or dark.
    pub theme: Theme,
    /// Name and logo.
    pub brand: Brand,
    /// What is loaded.
    pub assets: Loaded,
    /// The token of forms.
    pub token: String,
    /// The path of this page, to come back to.
    pub here: String,
    /// Who is signed in.
    pub person: Option<FramePerson>,
    /// Where he can be.
    pub places: Option<Places>,
    /// Where he can go there.
    pub sections: Vec<Section>,
    /// What was just done.
    pub news: Vec<Block>,
}

impl Frame {
    /// The languages that are offered.
    pub fn languages(&self) -> [Language; 3] {
        Language::ALL
    }
}
