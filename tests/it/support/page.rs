//! A page as a browser is shown it: its words, links and forms, read off the HTML.
//!
//! Our templates write plain HTML: every attribute in double quotes, every element closed. That is all that is understood here.

use std::collections::BTreeSet;

use super::test_app::TestApp;
use super::transcript::Answer;

/// The policy of every page.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; \
                      frame-ancestors 'none'; object-src 'none'";

/// A page.
pub(crate) struct Page {
    /// Its path and query.
    pub(crate) path: String,
    pub(crate) answer: Answer,
    pub(crate) html: String,
}

/// A form of a page.
pub(crate) struct Form {
    /// What is sent if nothing is filled in.
    defaults: Vec<(String, String)>,
    /// The names of everything that can be filled in.
    names: BTreeSet<String>,
}

impl Page {
    pub(super) fn read(app: &TestApp, path: &str, answer: Answer) -> Self {
        let html = String::from_utf8(answer.body.clone()).unwrap();
        let page = Self {
            path: path.to_owned(),
            answer,
            html,
        };
        page.check();
        if let Some(secret) = page.secret() {
            let is_key = secret.starts_with("kgy_");
            if is_key {
                app.witness().keep_key(&secret);
            } else if let Some((_, secret)) = secret.rsplit_once('/') {
                app.witness().keep(secret);
            }
        }
        page
    }

    /// Fails unless the status is this.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.answer.status, status, "{}\n{}", self.path, self.text());
        self
    }

    /// What its title says.
    pub(crate) fn title(&self) -> String {
        self.element("title").unwrap_or_default()
    }

    fn element(&self, name: &str) -> Option<String> {
        let rest = self.html.split_once(&format!("<{name}>"))?.1;
        Some(words(rest.split_once(&format!("</{name}>"))?.0))
    }

    /// All that it says.
    pub(crate) fn text(&self) -> String {
        let body = self.html.split_once("<body>").map_or("", |(_, body)| body);
        words(body)
    }

    /// Fails unless it says this.
    #[track_caller]
    pub(crate) fn says(&self, wanted: &str) -> &Self {
        let text = self.text();
        assert!(
            text.contains(wanted),
            "{} does not say {wanted:?}:\n{text}",
            self.path
        );
        self
    }

    /// Fails if it says this.
    #[track_caller]
    pub(crate) fn never_says(&self, unwanted: &str) -> &Self {
        let text = self.text();
        assert!(
            !text.contains(unwanted) && !self.html.contains(unwanted),
            "{} says {unwanted:?}:\n{text}",
            self.path
        );
        self
    }

    /// Where its links lead.
    pub(crate) fn links(&self) -> Vec<String> {
        attributes(&self.html, "a", "href")
    }

    /// The link that ends so.
    #[track_caller]
    pub(crate) fn link(&self, end: &str) -> String {
        let found = self.links().into_iter().find(|link| link.ends_with(end));
        found.unwrap_or_else(|| panic!("{} has no link to …{end}", self.path))
    }

    /// The first link that has this in it.
    #[track_caller]
    pub(crate) fn link_with(&self, part: &str) -> String {
        let found = self.links().into_iter().find(|link| link.contains(part));
        found.unwrap_or_else(|| panic!("{} has no link with {part}", self.path))
    }

    /// Where its forms go.
    pub(crate) fn actions(&self) -> Vec<String> {
        attributes(&self.html, "form", "action")
    }

    /// The secret that it shows this once.
    pub(crate) fn secret(&self) -> Option<String> {
        let rest = self.html.split_once("<textarea id=\"secret\"")?.1;
        let text = rest.split_once('>')?.1.split_once("</textarea>")?.0;
        Some(unescaped(text).trim().to_owned())
    }

    /// The form that goes there.
    #[track_caller]
    pub(crate) fn form(&self, action: &str) -> Form {
        let found = self.html.split("<form ").skip(1).find_map(|rest| {
            let (form, _) = rest.split_once("</form>")?;
            let tag = form.split_once('>')?.0;
            (attribute(tag, "action")? == action).then_some(form)
        });
        let html = found.unwrap_or_else(|| {
            panic!(
                "{} has no form to {action}, only {:?}",
                self.path,
                self.actions()
            )
        });
        Form::read(html)
    }

    /// The token of its forms.
    pub(crate) fn token(&self) -> String {
        let action = self.actions().into_iter().next().unwrap();
        let form = self.form(&action);
        let token = form.defaults.iter().find(|(name, _)| name == "token");
        token.unwrap().1.clone()
    }

    /// What holds for every page.
    #[track_caller]
    fn check(&self) {
        let all = self.answer.transcript();
        let header = |name: &str| self.answer.header(name).unwrap_or_default().to_owned();
        assert_eq!(header("content-security-policy"), POLICY, "{all}");
        assert_eq!(header("cache-control"), "no-store", "{all}");
        assert_eq!(header("cross-origin-opener-policy"), "same-origin", "{all}");
        assert_eq!(
            header("cross-origin-resource-policy"),
            "same-origin",
            "{all}"
        );
        assert_eq!(header("referrer-policy"), "no-referrer", "{all}");
        assert_eq!(self.html.matches("<h1>").count(), 1, "one heading\n{all}");
        assert!(!self.title().is_empty(), "a title\n{all}");
        let is_key = |text: &str| text.contains("kgy_1");
        assert!(
            !is_key(&self.title()) && !is_key(&self.path),
            "a key in the title or the address"
        );
        for script in self.html.split("<script").skip(1) {
            assert!(script.contains("></script>"), "an inline script\n{all}");
        }
        for tag in tags(&self.html) {
            for bad in [
                " style=\"",
                " onclick=\"",
                " onload=\"",
                " onerror=\"",
                "javascript:",
            ] {
                assert!(!tag.contains(bad), "{bad} in <{tag}>");
            }
            assert!(!tag.contains("http-equiv"), "{tag}");
        }
        let ids = all_of(&self.html, "id");
        let distinct: BTreeSet<&String> = ids.iter().collect();
        assert_eq!(ids.len(), distinct.len(), "an id is there twice: {ids:?}");
        for name in ["for", "aria-describedby", "aria-labelledby"] {
            for value in all_of(&self.html, name) {
                for id in value.split(' ') {
                    assert!(
                        ids.iter().any(|known| known == id),
                        "{name}={id} points nowhere\n{all}"
                    );
                }
            }
        }
    }
}

impl Form {
    fn read(html: &str) -> Self {
        let (_, inside) = html.split_once('>').unwrap();
        let mut form = Self {
            defaults: Vec::new(),
            names: BTreeSet::new(),
        };
        let mut selected: Option<String> = None;
        let mut rest = inside;
        while let Some((_, behind)) = rest.split_once('<') {
            let (tag, after) = behind.split_once('>').unwrap();
            rest = after;
            let kind = tag.split(' ').next().unwrap_or_default();
            let name = attribute(tag, "name");
            let value = attribute(tag, "value");
            match (kind, name) {
                ("input", Some(name)) => {
                    let ticked = matches!(
                        attribute(tag, "type").as_deref(),
                        Some("checkbox" | "radio")
                    );
                    form.names.insert(name.clone());
                    if !ticked || tag.ends_with(" checked") || tag.contains(" checked ") {
                        form.defaults.push((name, value.unwrap_or_default()));
                    }
                }
                ("textarea", Some(name)) => {
                    let text = after.split_once('<').map_or("", |(text, _)| text);
                    form.names.insert(name.clone());
                    // A newline right behind the tag is none of the text (HTML §13.1.2.5).
                    let text = unescaped(text.strip_prefix('\n').unwrap_or(text));
                    form.defaults.push((name, text));
                }
                ("select", Some(name)) => {
                    form.names.insert(name.clone());
                    selected = Some(name);
                }
                ("option", _) => {
                    let Some(name) = &selected else { continue };
                    let first = form.defaults.iter().all(|(other, _)| other != name);
                    let value = value.unwrap_or_default();
                    if tag.ends_with(" selected") {
                        form.defaults.retain(|(other, _)| other != name);
                        form.defaults.push((name.clone(), value));
                    } else if first {
                        form.defaults.push((name.clone(), value));
                    }
                }
                ("button", Some(name)) => {
                    form.names.insert(name);
                }
                _ => {}
            }
        }
        form
    }

    /// What is sent with these fields filled in: all of one name in place of what was there.
    #[track_caller]
    pub(crate) fn filled(&self, fields: &[(&str, &str)]) -> Vec<(String, String)> {
        for (name, _) in fields {
            assert!(
                self.names.contains(*name),
                "the form has no field {name}: {:?}",
                self.names
            );
        }
        let given = |name: &str| fields.iter().any(|(other, _)| *other == name);
        let kept = self.defaults.iter().filter(|(name, _)| !given(name));
        let own = fields
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        kept.cloned().chain(own).collect()
    }

    /// What is in a field.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        let found = self.defaults.iter().find(|(other, _)| other == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Everything that can be filled in.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.names.contains(name)
    }
}

fn tags(html: &str) -> impl Iterator<Item = &str> {
    html.split('<')
        .skip(1)
        .map(|rest| rest.split_once('>').map_or(rest, |(tag, _)| tag))
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let (_, rest) = tag.split_once(&format!(" {name}=\"")).or_else(|| {
        let start = format!("{name}=\"");
        tag.starts_with(&start).then(|| ("", &tag[start.len()..]))
    })?;
    Some(unescaped(rest.split('"').next()?))
}

fn attributes(html: &str, kind: &str, name: &str) -> Vec<String> {
    tags(html)
        .filter(|tag| tag.split(' ').next() == Some(kind))
        .filter_map(|tag| attribute(tag, name))
        .collect()
}

fn all_of(html: &str, name: &str) -> Vec<String> {
    tags(html).filter_map(|tag| attribute(tag, name)).collect()
}

/// The words between the tags.
fn words(html: &str) -> String {
    let mut text = String::new();
    for (index, piece) in html.split('<').enumerate() {
        let words = match piece.split_once('>') {
            Some((tag, words)) if index > 0 => {
                let inline = [
                    "code", "/code", "strong", "/strong", "time", "/time", "a ", "/a",
                ];
                if !inline.iter().any(|kind| tag.starts_with(kind)) {
                    text.push(' ');
                }
                words
            }
            _ => piece,
        };
        text.push_str(words);
    }
    let text = unescaped(&text);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn unescaped(text: &str) -> String {
    let mut plain = text.to_owned();
    for (escaped, letter) in [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#39;", "'"),
        ("&#60;", "<"),
        ("&#62;", ">"),
        ("&#34;", "\""),
        ("&#x27;", "'"),
        ("&#38;", "&"),
        ("&amp;", "&"),
    ] {
        plain = plain.replace(escaped, letter);
    }
    plain
}
