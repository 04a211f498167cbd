//! Every template renders from a sample, in every language, with what people wrote escaped.

use super::assets::Assets;
use super::done::Done;
use super::frame::{Brand, Frame, FramePerson, Loaded, PlaceLink, Places, Section, Theme};
use super::language::{Language, Text, Words};
use super::markup::Markup;
use super::view::{
    Action, Block, Chart, ChartRow, Choice, Column, Empty, Fact, Field, Filter, Form, Group, Guide,
    Kind, Lines, Notice, Page, Pager, Part, Picker, PickerGroup, Row, Snippet, Table, Tone, Value,
};
use crate::config;

/// What somebody wrote who means no good.
const EVIL: &str = "<b onclick=\"x()\">'&";

fn text() -> Text {
    Words::new(Language::English).t("keys")
}

fn action() -> Action {
    Action {
        label: text(),
        href: format!("/dashboard?{EVIL}"),
        tone: Tone::Accent,
    }
}

/// One of each. A new kind does not compile until it has a sample.
fn values() -> Vec<Value> {
    let all = vec![
        Value::Words(text()),
        Value::Data(EVIL.to_owned()),
        Value::Code(EVIL.to_owned()),
        Value::Html(Markup::strong(EVIL)),
        Value::Link {
            href: EVIL.to_owned(),
            text: EVIL.to_owned(),
        },
        Value::Badge {
            tone: Tone::Ok,
            text: text(),
        },
        Value::Scopes {
            shown: vec![EVIL.to_owned()],
            more: Some(text()),
        },
        Value::Copy {
            text: EVIL.to_owned(),
            label: text(),
        },
        Value::Act {
            href: EVIL.to_owned(),
            text: text(),
            about: EVIL.to_owned(),
        },
        Value::Lines(vec![Value::Data(EVIL.to_owned())]),
        Value::Nothing(text()),
    ];
    let mut kinds: Vec<u8> = all
        .iter()
        .map(|value| match value {
            Value::Words(_) => 0,
            Value::Data(_) => 1,
            Value::Code(_) => 2,
            Value::Html(_) => 3,
            Value::Link { .. } => 4,
            Value::Badge { .. } => 5,
            Value::Scopes { .. } => 6,
            Value::Copy { .. } => 7,
            Value::Act { .. } => 8,
            Value::Lines(_) => 9,
            Value::Nothing(_) => 10,
        })
        .collect();
    kinds.dedup();
    assert_eq!(kinds.len(), 11);
    all
}

fn fields() -> Vec<Field> {
    let choices = || {
        vec![
            Choice::words("a", text(), true).help(Some(EVIL.to_owned())),
            Choice::data(EVIL, EVIL, false),
        ]
    };
    let kinds = vec![
        Kind::Text,
        Kind::Area,
        Kind::Password,
        Kind::Number { min: 1, max: 9 },
        Kind::Date,
        Kind::Select(choices()),
        Kind::Radio(choices()),
        Kind::Boxes(choices()),
        Kind::Check(true),
    ];
    let mut numbers: Vec<u8> = kinds
        .iter()
        .map(|kind| match kind {
            Kind::Text => 0,
            Kind::Area => 1,
            Kind::Password => 2,
            Kind::Number { .. } => 3,
            Kind::Date => 4,
            Kind::Select(_) => 5,
            Kind::Radio(_) => 6,
            Kind::Boxes(_) => 7,
            Kind::Check(_) => 8,
        })
        .collect();
    numbers.dedup();
    assert_eq!(numbers.len(), 9);
    kinds
        .into_iter()
        .flat_map(|kind| {
            let bare = Field::text("x", text()).kind(kind).value(EVIL);
            let whole = bare.clone().help(text()).required().error(Some(text()));
            [bare, whole]
        })
        .collect()
}

fn picker() -> Picker {
    Picker {
        name: "permission",
        label: text(),
        help: Some(text()),
        groups: vec![PickerGroup {
            title: EVIL.to_owned(),
            identifier: EVIL.to_owned(),
            choices: vec![Choice::data(EVIL, EVIL, true).help(Some(EVIL.to_owned()))],
        }],
        filter: Some(text()),
        read_only: text(),
        summary: (text(), text()),
        error: Some(text()),
    }
}

fn form() -> Form {
    let mut form = Form::new("/dashboard", text())
        .hidden("x", EVIL)
        .part(picker())
        .part(Part::Text(EVIL.into()))
        .part(Part::Sentences(values()))
        .cancel(text(), "/dashboard");
    for folded in [None, Some(false), Some(true)] {
        form = form.part(Group {
            title: text(),
            folded,
            parts: vec![Field::text("y", text()).into()],
        });
    }
    for field in fields() {
        form = form.part(field);
    }
    form.script = Some(("passkey-get", EVIL.to_owned()));
    form
}

fn blocks() -> Vec<Block> {
    let mut notice = Notice::news(Tone::Danger, EVIL.to_owned());
    notice.fields = vec![("f-x".to_owned(), text())];
    let row = || Row {
        cells: vec![Value::Data(EVIL.to_owned()), Value::Data("1".to_owned())],
    };
    let all = vec![
        notice.into(),
        Block::Heading {
            text: text(),
            id: "x",
        },
        Block::Paragraph(EVIL.into()),
        Block::Facts(
            values()
                .into_iter()
                .map(|value| Fact {
                    name: text(),
                    value,
                })
                .collect(),
        ),
        Table {
            caption: text(),
            columns: vec![Column::new(text()), Column::numeric(text())],
            rows: vec![row(), row()],
        }
        .into(),
        Pager {
            count: Some(text()),
            newer: Some(EVIL.to_owned()),
            older: Some(EVIL.to_owned()),
            labels: Some((text(), text())),
        }
        .into(),
        Empty {
            text: text(),
            action: Some(action()),
        }
        .into(),
        Filter {
            action: "/dashboard".to_owned(),
            fields: fields(),
            submit: text(),
            clear: Some((text(), EVIL.to_owned())),
        }
        .into(),
        form().into(),
        Block::Actions(vec![action()]),
        Chart {
            title: text(),
            svg: Markup::default(),
            top: "1".to_owned(),
            ends: (EVIL.to_owned(), EVIL.to_owned()),
            summary: text(),
            columns: vec![text(), text()],
            rows: vec![ChartRow {
                name: EVIL.to_owned(),
                values: vec![EVIL.to_owned()],
            }],
        }
        .into(),
        Block::Secret {
            label: text(),
            text: EVIL.to_owned(),
            copy: text(),
        },
        Lines {
            group: "lines",
            snippets: vec![Snippet {
                name: EVIL.to_owned(),
                text: EVIL.to_owned(),
            }],
            copy: text(),
        }
        .into(),
        Guide { steps: values() }.into(),
    ];
    let mut kinds: Vec<u8> = all
        .iter()
        .map(|block| match block {
            Block::Notice(_) => 0,
            Block::Heading { .. } => 1,
            Block::Paragraph(_) => 2,
            Block::Facts(_) => 3,
            Block::Table(_) => 4,
            Block::Pager(_) => 5,
            Block::Empty(_) => 6,
            Block::Filter(_) => 7,
            Block::Form(_) => 8,
            Block::Actions(_) => 9,
            Block::Chart(_) => 10,
            Block::Secret { .. } => 11,
            Block::Lines(_) => 12,
            Block::Guide(_) => 13,
        })
        .collect();
    kinds.dedup();
    assert_eq!(kinds.len(), 14);
    all
}

fn frame(language: Language, whole: bool) -> Frame {
    let config = config::Dashboard::default();
    let assets = Assets::new(&config);
    let section = || Section {
        label: text(),
        href: EVIL.to_owned(),
        current: true,
    };
    let place = PlaceLink {
        label: EVIL.to_owned(),
        href: EVIL.to_owned(),
        current: true,
    };
    let mut brand = Brand::new(&config, &assets);
    brand.name = EVIL.to_owned();
    brand.support = whole.then(|| Markup::text(EVIL));
    brand.logo = whole.then(|| EVIL.to_owned());
    Frame {
        words: Words::new(language),
        theme: Theme::Dark,
        brand,
        assets: Loaded::from(&assets),
        token: if whole {
            EVIL.to_owned()
        } else {
            String::new()
        },
        here: EVIL.to_owned(),
        person: whole.then(|| FramePerson {
            name: EVIL.to_owned(),
            role: text(),
        }),
        places: whole.then(|| Places {
            current: EVIL.to_owned(),
            all: vec![place],
            more: Some(section()),
        }),
        sections: if whole { vec![section()] } else { Vec::new() },
        news: if whole { blocks() } else { Vec::new() },
    }
}

/// Fails if anything that was written is markup, or an element is left open.
fn check(html: &str) {
    assert!(!html.is_empty());
    assert!(!html.contains("<b onclick"), "{html}");
    assert!(!html.contains("onclick=\"x"), "{html}");
    for name in [
        "div", "ul", "ol", "li", "p", "form", "fieldset", "table", "details", "nav", "span", "a",
        "main", "select", "textarea",
    ] {
        let opened =
            html.matches(&format!("<{name}>")).count() + html.matches(&format!("<{name} ")).count();
        let closed = html.matches(&format!("</{name}>")).count();
        assert_eq!(opened, closed, "<{name}> in {html}");
    }
}

#[test]
fn every_value_field_and_block_renders_from_a_sample() {
    for value in values() {
        check(value.html().as_str());
    }
    for field in fields() {
        let html = field.html();
        check(html.as_str());
        let described = field.described_by();
        for id in described.split(' ').filter(|id| !id.is_empty()) {
            assert!(
                html.as_str().contains(&format!("id=\"{id}\"")),
                "{id} in {html}"
            );
        }
    }
    for block in blocks() {
        check(block.html().as_str());
    }
}

#[test]
fn a_page_renders_from_a_sample_in_every_language_whole_and_bare() {
    for language in Language::ALL {
        let mut page = Page::new(text())
            .heading(EVIL)
            .crumb(EVIL, "/dashboard")
            .lead(text())
            .action(text(), "/dashboard")
            .error_if(true)
            .narrow();
        for block in blocks() {
            page = page.block(block);
        }
        let whole = page.render(&frame(language, true)).unwrap();
        check(&whole);
        let bare = Page::new(text()).render(&frame(language, false)).unwrap();
        check(&bare);
        assert!(!bare.contains("<form"), "who is not known is shown no form");
    }
}

#[test]
fn what_was_done_has_words_in_every_language() {
    for done in Done::ALL {
        assert_eq!(Done::of_word(done.as_str()), Some(*done));
        for language in Language::ALL {
            assert!(!done.words(Words::new(language)).as_str().is_empty());
        }
    }
    assert_eq!(Done::of_word("nonsense"), None);
}
