//! Lays the file, the environment and the flags over each other and hands out one section at a time.
//!
//! [`Layers::take`] is where a setting becomes known: what nobody took is refused at the end.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use toml::de::{DeTable, DeValue};

use super::environment::{NotUtf8, variable};
use super::error::{Error, Origin, UnknownName};
use super::value::{self, Value, Values};
use super::{Sources, environment, fields};

/// What would be the setting that names the file; it is none, for it has no place in the file itself.
const CONFIG: &str = "config";

/// A struct of settings: above all tables, or one table.
pub(super) trait Section: DeserializeOwned {
    /// The table in the file; none for the settings above all tables.
    const TABLE: Option<&'static str>;

    /// Checks what the types cannot say, and reads what is in files of its own.
    fn settle(self) -> Result<Self, Fault> {
        Ok(self)
    }
}

/// A field of a section has a value that it cannot have.
pub(super) struct Fault {
    /// The field's name.
    pub field: &'static str,
    /// What it must be.
    pub message: String,
}

impl Fault {
    pub(super) fn new(field: &'static str, message: impl Into<String>) -> Self {
        Self {
            field,
            message: message.into(),
        }
    }

    /// Refuses a number outside `range`.
    pub(super) fn unless_within(
        field: &'static str,
        number: impl Into<u64>,
        range: std::ops::RangeInclusive<u64>,
    ) -> Result<(), Self> {
        if range.contains(&number.into()) {
            return Ok(());
        }
        Err(Self::new(
            field,
            format!("must be from {} to {}", range.start(), range.end()),
        ))
    }
}

/// The layers, and what has been taken of them.
pub(super) struct Layers<'a> {
    sources: &'a Sources,
    path: Option<PathBuf>,
    /// What is left of the file.
    file: toml::Table,
    /// Path of a setting → its line in the file.
    lines: BTreeMap<String, usize>,
    /// Paths of all settings that were asked for.
    pub(super) known: Vec<String>,
    /// Tables that were asked for.
    tables: Vec<&'static str>,
    /// Paths in the file that no section wanted.
    unknown: Vec<String>,
}

impl<'a> Layers<'a> {
    /// Reads the file, if there is one.
    pub(super) fn read(sources: &'a Sources) -> Result<Self, Error> {
        let path = match (&sources.file, sources.environment.text(&variable(CONFIG))) {
            (Some(path), _) => Some(path.clone()),
            (None, Some(Ok(path))) => Some(PathBuf::from(path)),
            (None, Some(Err(NotUtf8))) => return Err(not_utf8(CONFIG, variable(CONFIG))),
            (None, None) => None,
        };
        let mut layers = Self {
            sources,
            path: None,
            file: toml::Table::new(),
            lines: BTreeMap::new(),
            known: Vec::new(),
            tables: Vec::new(),
            unknown: Vec::new(),
        };
        if let Some(path) = path {
            let text = fs::read_to_string(&path).map_err(|source| Error::Unreadable {
                path: path.clone(),
                source,
            })?;
            let document = DeTable::parse(&text).map_err(|error| syntax(&path, &text, &error))?;
            collect_lines(document.get_ref(), "", &text, &mut layers.lines);
            layers.file = toml::from_str(&text).map_err(|error| syntax(&path, &text, &error))?;
            layers.path = Some(path);
        }
        Ok(layers)
    }

    /// Takes the settings of one section out of all layers.
    pub(super) fn take<T: Section>(&mut self) -> Result<T, Error> {
        let names = fields::names::<T>();
        self.tables.extend(T::TABLE);
        let values = self.values(T::TABLE, names)?;
        let mut unknown = Vec::new();
        let mut note =
            |path: serde_ignored::Path<'_>| unknown.push(setting(T::TABLE, &path.to_string()));
        let parsed = serde_path_to_error::deserialize(serde_ignored::Deserializer::new(
            value::section(values),
            &mut note,
        ));
        self.unknown.extend(unknown);
        let parsed: T = parsed.map_err(|error| {
            let path = setting(T::TABLE, &error.path().to_string());
            self.wrong_value(path, error.inner().message())
        })?;
        parsed
            .settle()
            .map_err(|fault| self.wrong_value(setting(T::TABLE, fault.field), &fault.message))
    }

    /// Takes a list of tables, which the file alone can hold.
    pub(super) fn take_list<T: DeserializeOwned>(
        &mut self,
        name: &'static str,
        settle: impl Fn(T) -> Result<T, Fault>,
    ) -> Result<Vec<T>, Error> {
        self.tables.push(name);
        let items = match self.file.remove(name) {
            None => return Ok(Vec::new()),
            Some(toml::Value::Array(items)) => items,
            Some(_) => return Err(self.wrong_value(name.to_owned(), "must be a list of tables")),
        };
        let mut taken = Vec::with_capacity(items.len());
        for (index, item) in items.into_iter().enumerate() {
            let place = format!("{name}[{index}]");
            let mut unknown = Vec::new();
            let mut note = |path: serde_ignored::Path<'_>| unknown.push(format!("{place}.{path}"));
            let parsed =
                serde_path_to_error::deserialize(serde_ignored::Deserializer::new(item, &mut note));
            self.unknown.extend(unknown);
            let parsed: T = parsed.map_err(|error| {
                let path = format!("{place}.{}", error.path());
                self.wrong_value(
                    path.trim_end_matches(".").to_owned(),
                    error.inner().message(),
                )
            })?;
            let settled = settle(parsed).map_err(|fault| {
                self.wrong_value(format!("{place}.{}", fault.field), &fault.message)
            })?;
            taken.push(settled);
        }
        Ok(taken)
    }

    /// Refuses whatever no section took.
    pub(super) fn refuse_unknown(mut self) -> Result<(), Error> {
        self.unknown.extend(self.file.keys().cloned());
        self.unknown.sort_by_key(|path| self.lines.get(path));
        let settings = || self.known.iter().map(String::as_str);
        let in_file = self.unknown.iter().map(|path| UnknownName {
            name: path.clone(),
            origin: self.origin(path),
            nearest: fields::nearest(path, settings().chain(self.tables.iter().copied()))
                .map(str::to_owned),
        });

        let variables: BTreeSet<String> = settings().chain([CONFIG]).map(variable).collect();
        let strange = self
            .sources
            .environment
            .names()
            .filter(|name| !variables.contains(*name));
        let in_environment = strange.map(|name| {
            let nearest = fields::nearest(
                without_prefix(name),
                variables.iter().map(|name| without_prefix(name)),
            );
            UnknownName {
                name: name.to_owned(),
                origin: Origin::Variable(name.to_owned()),
                nearest: nearest.map(|name| format!("{}{name}", environment::PREFIX)),
            }
        });
        let names: Vec<_> = in_file.chain(in_environment).collect();
        if names.is_empty() {
            Ok(())
        } else {
            Err(Error::Unknown(names))
        }
    }

    /// A section's values: the strongest layer that has one wins. What the file's table has besides comes along, to be found
    /// unknown.
    fn values(&mut self, table: Option<&str>, names: &[&str]) -> Result<Values, Error> {
        let mut from_file = match table {
            None => names
                .iter()
                .filter_map(|name| self.file.remove_entry(*name))
                .collect(),
            Some(table) => match self.file.remove(table) {
                None => toml::Table::new(),
                Some(toml::Value::Table(values)) => values,
                Some(_) => return Err(self.wrong_value(table.to_owned(), "must be a table")),
            },
        };
        let mut values = Values::new();
        for name in names {
            let path = setting(table, name);
            let flag = self.sources.flags.iter().find(|(flag, _)| *flag == path);
            let variable_name = variable(&path);
            let from_environment = match self.sources.environment.text(&variable_name) {
                Some(Err(NotUtf8)) => return Err(not_utf8(&path, variable_name)),
                Some(Ok(text)) => Some(text),
                None => None,
            };
            let from_file = from_file.remove(*name);
            if let Some(text) = flag.map(|(_, text)| text.as_str()).or(from_environment) {
                values.push(((*name).to_owned(), Value::Text(text.to_owned())));
            } else if let Some(value) = from_file {
                values.push(((*name).to_owned(), Value::Toml(value)));
            }
            self.known.push(path);
        }
        values.extend(
            from_file
                .into_iter()
                .map(|(name, value)| (name, Value::Toml(value))),
        );
        Ok(values)
    }

    fn wrong_value(&self, path: String, message: &str) -> Error {
        Error::Value {
            origin: self.origin(&path),
            setting: path,
            message: message.to_owned(),
        }
    }

    /// Who gave a setting; for a part of it (`trusted_proxies[1]`) who gave the whole.
    fn origin(&self, path: &str) -> Origin {
        if path.contains("].")
            && let (Some(path), Some(line)) = (&self.path, self.lines.get(path))
        {
            return Origin::File {
                path: path.clone(),
                line: *line,
            };
        }
        let whole = path.split('[').next().unwrap_or(path);
        if self.sources.flags.iter().any(|(flag, _)| *flag == whole) {
            return Origin::Flag(format!("--{}", whole.replace(['_', '.'], "-")));
        }
        let name = variable(whole);
        if self.known.iter().any(|known| known == whole)
            && self.sources.environment.text(&name).is_some()
        {
            return Origin::Variable(name);
        }
        match (&self.path, self.lines.get(whole)) {
            (Some(path), Some(line)) => Origin::File {
                path: path.clone(),
                line: *line,
            },
            _ => Origin::Default,
        }
    }
}

fn setting(table: Option<&str>, name: &str) -> String {
    match table {
        Some(table) => format!("{table}.{name}"),
        None => name.to_owned(),
    }
}

/// Every name begins alike, which must not make them look alike.
fn without_prefix(variable: &str) -> &str {
    variable.trim_start_matches(environment::PREFIX)
}

fn not_utf8(setting: &str, variable: String) -> Error {
    Error::Value {
        setting: setting.to_owned(),
        origin: Origin::Variable(variable),
        message: "must be UTF-8 text".into(),
    }
}

fn syntax(path: &Path, text: &str, error: &toml::de::Error) -> Error {
    let before = &text[..error
        .span()
        .map_or(0, |span| text.floor_char_boundary(span.start))];
    Error::Syntax {
        path: path.to_owned(),
        line: line(before),
        column: before
            .rsplit('\n')
            .next()
            .unwrap_or_default()
            .chars()
            .count()
            + 1,
        message: error.message().to_owned(),
    }
}

fn line(before: &str) -> usize {
    before.matches('\n').count() + 1
}

/// Notes the line of every key, down through tables.
fn collect_lines(
    table: &DeTable<'_>,
    parent: &str,
    text: &str,
    lines: &mut BTreeMap<String, usize>,
) {
    for (key, value) in table {
        let path = if parent.is_empty() {
            key.get_ref().to_string()
        } else {
            format!("{parent}.{}", key.get_ref())
        };
        lines.insert(path.clone(), line(&text[..key.span().start]));
        match value.get_ref() {
            DeValue::Table(inner) => collect_lines(inner, &path, text, lines),
            DeValue::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    if let DeValue::Table(inner) = item.get_ref() {
                        collect_lines(inner, &format!("{path}[{index}]"), text, lines);
                    }
                }
            }
            _ => {}
        }
    }
}
