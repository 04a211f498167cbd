//! The words of the pages: English, Japanese and Korean, every one from one catalogue (`locales/*.ftl`, Project Fluent).
//!
//! [`Text`] can only be made here, from the catalogue, so no page can say what is not in it; a test holds the three languages against
//! each other and against what the pages ask for.

use std::borrow::Cow;
use std::fmt;
use std::sync::LazyLock;

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource, FluentValue};
use fluent_langneg::{LanguageIdentifier, NegotiationStrategy, negotiate_languages};

use super::markup::{self, Markup};

/// A language of the pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Language {
    /// English.
    English,
    /// Japanese.
    Japanese,
    /// Korean.
    Korean,
}

impl Language {
    /// Every one, in the order in which they are offered.
    pub const ALL: [Self; 3] = [Self::English, Self::Japanese, Self::Korean];

    /// Its tag (BCP 47).
    pub fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Japanese => "ja",
            Self::Korean => "ko",
        }
    }

    /// What its speakers call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::English => "English",
            Self::Japanese => "日本語",
            Self::Korean => "한국어",
        }
    }

    /// The one of this tag.
    pub fn of_tag(tag: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|language| language.tag() == tag)
    }

    /// The one that a browser likes most (RFC 9110 §12.5.4), or `default`.
    pub fn negotiate(accept: &str, default: Self) -> Self {
        // The library takes the order of the list for the preference, so it is sorted by weight first.
        let mut wanted: Vec<(f32, LanguageIdentifier)> = accept
            .split(',')
            .take(32)
            .filter_map(|item| {
                let mut parts = item.split(';');
                let tag = parts.next()?.trim().parse().ok()?;
                let weight = parts
                    .find_map(|part| part.trim().strip_prefix("q="))
                    .map_or(Some(1.0), |weight| weight.trim().parse().ok())?;
                (weight > 0.0).then_some((weight, tag))
            })
            .collect();
        wanted.sort_by(|one, other| other.0.total_cmp(&one.0));
        let wanted: Vec<LanguageIdentifier> = wanted.into_iter().map(|(_, tag)| tag).collect();
        let offered: Vec<LanguageIdentifier> = Self::ALL
            .iter()
            .filter_map(|language| language.tag().parse().ok())
            .collect();
        let found = negotiate_languages(&wanted, &offered, None, NegotiationStrategy::Lookup);
        found
            .first()
            .and_then(|tag| Self::of_tag(tag.language.as_str()))
            .unwrap_or(default)
    }

    fn source(self) -> &'static str {
        match self {
            Self::English => include_str!("../../locales/en.ftl"),
            Self::Japanese => include_str!("../../locales/ja.ftl"),
            Self::Korean => include_str!("../../locales/ko.ftl"),
        }
    }
}

/// Words of the catalogue. Escaped where they are written into a page, like any text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text(Cow<'static, str>);

impl Text {
    /// The words.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A value that goes into a sentence.
#[derive(Clone, Debug)]
pub enum Value<'a> {
    /// A text.
    Text(Cow<'a, str>),
    /// A number, which the sentence may go by.
    Number(i64),
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for Value<'_> {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(text: &'a String) -> Self {
        Self::Text(text.as_str().into())
    }
}

impl<'a> From<&'a Text> for Value<'a> {
    fn from(text: &'a Text) -> Self {
        Self::Text(text.as_str().into())
    }
}

impl From<i64> for Value<'_> {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl From<usize> for Value<'_> {
    fn from(number: usize) -> Self {
        Self::Number(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

/// The catalogue in one language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Words {
    language: Language,
}

impl Words {
    /// In this language.
    pub fn new(language: Language) -> Self {
        Self { language }
    }

    /// Its language.
    pub fn language(self) -> Language {
        self.language
    }

    /// Words that hold no value.
    pub fn t(self, key: &str) -> Text {
        Text(self.format(key, None).into())
    }

    /// A sentence with one value in it.
    pub fn one<'a>(self, key: &str, name: &'static str, value: impl Into<Value<'a>>) -> Text {
        self.with(key, [(name, value.into())])
    }

    /// A sentence with values in it.
    pub fn with<'a>(
        self,
        key: &str,
        values: impl IntoIterator<Item = (&'static str, Value<'a>)>,
    ) -> Text {
        let mut arguments = FluentArgs::new();
        for (name, value) in values {
            match value {
                Value::Text(text) => arguments.set(name, FluentValue::String(text)),
                Value::Number(number) => arguments.set(name, number),
            }
        }
        Text(self.format(key, Some(&arguments)).into())
    }

    /// A sentence with markup in it; what is not markup is escaped.
    pub fn mix<'a>(
        self,
        key: &str,
        markups: impl IntoIterator<Item = (&'static str, &'a Markup)>,
    ) -> Markup {
        // Each markup is held open by characters that no text has (private use), and put in when the rest is escaped.
        let mut arguments = FluentArgs::new();
        let mut put_in = Vec::new();
        for (number, (name, markup)) in (0u32..).zip(markups) {
            let place = char::from_u32(0xE000 + number).unwrap_or('\u{E000}');
            arguments.set(name, place.to_string());
            put_in.push((place, markup));
        }
        let sentence = self.format(key, Some(&arguments));
        let mut html = markup::escaped(&sentence);
        for (place, markup) in put_in {
            html = html.replace(place, markup.as_str());
        }
        Markup::trusted(html)
    }

    fn format(self, key: &str, arguments: Option<&FluentArgs<'_>>) -> String {
        let bundle = bundle(self.language);
        let message = bundle.get_message(key).and_then(|message| message.value());
        let Some(pattern) = message else {
            debug_assert!(false, "no words for {key} in {}", self.language.tag());
            return format!("[{key}]");
        };
        let mut errors = Vec::new();
        let text = bundle.format_pattern(pattern, arguments, &mut errors);
        debug_assert!(errors.is_empty(), "{key}: {errors:?}");
        text.into_owned()
    }
}

type Bundle = FluentBundle<FluentResource>;

fn bundle(language: Language) -> &'static Bundle {
    static ENGLISH: LazyLock<Bundle> = LazyLock::new(|| read(Language::English));
    static JAPANESE: LazyLock<Bundle> = LazyLock::new(|| read(Language::Japanese));
    static KOREAN: LazyLock<Bundle> = LazyLock::new(|| read(Language::Korean));
    match language {
        Language::English => &ENGLISH,
        Language::Japanese => &JAPANESE,
        Language::Korean => &KOREAN,
    }
}

/// The catalogue is part of the program, and a test reads it: what is wrong in it is found there.
fn read(language: Language) -> Bundle {
    let resource = match FluentResource::try_new(language.source().to_owned()) {
        Ok(resource) | Err((resource, _)) => resource,
    };
    let tags = language.tag().parse().into_iter().collect();
    let mut bundle = FluentBundle::new_concurrent(tags);
    // Marks around each value for texts of mixed direction: none of these languages needs them, and copied text would hold them.
    bundle.set_use_isolating(false);
    bundle.set_formatter(Some(|value, _| match value {
        FluentValue::Number(number) => Some(super::format::grouped(number.value as i64)),
        _ => None,
    }));
    bundle.add_resource_overriding(resource);
    bundle
}

#[cfg(test)]
mod tests;
