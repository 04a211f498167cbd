//! What a form sent: names and values, read leniently (a browser sends what its page has) and judged by whoever asks for them.

use std::borrow::Cow;

use crate::domain::secret::SecretText;
use crate::http::form;
use crate::http::problem::Problem;

/// The names and values, decoded, in their order.
#[derive(Clone, Default)]
pub struct Fields(Vec<(String, String)>);

impl Fields {
    /// Reads a body or a query.
    ///
    /// # Errors
    /// A broken encoding, or more than 2,000 fields.
    pub fn read(text: &[u8]) -> Result<Self, Problem> {
        let pairs = form::pairs_up_to(text, 2_000)?;
        let owned = |(name, value): (Cow<'_, str>, Cow<'_, str>)| {
            // A browser ends lines of a text area with CR LF (HTML §4.10.22.4).
            (name.into_owned(), value.replace("\r\n", "\n"))
        };
        Ok(Self(pairs.into_iter().map(owned).collect()))
    }

    /// As if a form had sent these.
    pub fn of<const N: usize>(pairs: [(&str, String); N]) -> Self {
        let owned = pairs
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value));
        Self(owned.collect())
    }

    /// As if it had sent one more.
    pub fn add(&mut self, name: &str, value: &str) {
        self.0.push((name.to_owned(), value.to_owned()));
    }

    /// The first value of a name, trimmed; empty where there is none.
    pub fn text(&self, name: &str) -> &str {
        self.raw(name).trim()
    }

    /// The same as it was sent.
    pub fn raw(&self, name: &str) -> &str {
        let found = self.0.iter().find(|(other, _)| other == name);
        found.map(|(_, value)| value.as_str()).unwrap_or_default()
    }

    /// The same as a secret.
    pub fn secret(&self, name: &str) -> SecretText {
        SecretText::new(self.raw(name).to_owned())
    }

    /// The first value of a name, trimmed, if there is one that is not empty.
    pub fn given(&self, name: &str) -> Option<&str> {
        Some(self.text(name)).filter(|text| !text.is_empty())
    }

    /// Every value of a name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |(other, _)| other == name)
            .map(|(_, value)| value.as_str())
    }

    /// The version of what the form showed; one that nothing has where it does not say.
    pub fn version(&self) -> i64 {
        self.text("version").parse().unwrap_or(i64::MIN)
    }

    /// Whether a box was ticked.
    pub fn ticked(&self, name: &str) -> bool {
        !self.raw(name).is_empty()
    }

    /// All of it as bytes, but the token: what an attempt that is repeated is told by.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (name, value) in self.0.iter().filter(|(name, _)| name != "token") {
            for part in [name, value] {
                bytes.extend_from_slice(part.as_bytes());
                bytes.push(0);
            }
        }
        bytes
    }
}
