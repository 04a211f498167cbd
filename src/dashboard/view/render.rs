//! From blocks to HTML, by the templates in `templates/`. What is not [`Markup`] is escaped there.

use askama::Template;

use super::{Block, Field, Form, Kind, Part, Row, Table, Value};
use crate::dashboard::frame::Frame;
use crate::dashboard::markup::Markup;
use crate::dashboard::view::{Column, Page};
use crate::http::problem::Problem;

#[derive(Template)]
#[template(path = "page.html")]
struct PageTemplate<'a> {
    frame: &'a Frame,
    page: &'a Page,
}

#[derive(Template)]
#[template(path = "block.html")]
struct BlockTemplate<'a> {
    block: &'a Block,
}

#[derive(Template)]
#[template(path = "value.html")]
struct ValueTemplate<'a> {
    value: &'a Value,
}

#[derive(Template)]
#[template(path = "form.html")]
struct FormTemplate<'a> {
    form: &'a Form,
}

#[derive(Template)]
#[template(path = "part.html")]
struct PartTemplate<'a> {
    part: &'a Part,
}

#[derive(Template)]
#[template(path = "field.html")]
struct FieldTemplate<'a> {
    field: &'a Field,
}

impl Page {
    /// The whole page.
    ///
    /// # Errors
    /// A defect in a template.
    pub fn render(&self, frame: &Frame) -> Result<String, Problem> {
        let template = PageTemplate { frame, page: self };
        template
            .render()
            .map_err(|error| Problem::internal(format!("a page cannot be rendered: {error}")))
    }
}

impl Block {
    /// As HTML.
    pub fn html(&self) -> Markup {
        rendered(&BlockTemplate { block: self })
    }
}

impl Value {
    /// As HTML.
    pub fn html(&self) -> Markup {
        rendered(&ValueTemplate { value: self })
    }
}

impl Form {
    /// As HTML.
    pub fn html(&self) -> Markup {
        rendered(&FormTemplate { form: self })
    }
}

impl Part {
    /// As HTML.
    pub fn html(&self) -> Markup {
        rendered(&PartTemplate { part: self })
    }
}

impl Field {
    /// As HTML.
    pub fn html(&self) -> Markup {
        rendered(&FieldTemplate { field: self })
    }

    /// The `type` of its `input`.
    fn input_type(&self) -> &'static str {
        match self.kind {
            Kind::Password => "password",
            Kind::Number { .. } => "number",
            Kind::Date => "date",
            _ => "text",
        }
    }

    /// The least and the most that a number may be.
    fn bounds(&self) -> Option<(i64, i64)> {
        match self.kind {
            Kind::Number { min, max } => Some((min, max)),
            _ => None,
        }
    }
}

impl Table {
    /// The cells of a row with their columns.
    fn cells<'a>(&'a self, row: &'a Row) -> Vec<(&'a Column, &'a Value)> {
        self.columns.iter().zip(&row.cells).collect()
    }
}

/// Writing into memory fails only where a template does, which a test would have shown.
fn rendered(template: &impl Template) -> Markup {
    Markup::trusted(template.render().unwrap_or_default())
}
