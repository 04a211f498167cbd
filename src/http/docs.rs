//! The page at `/docs`: the OpenAPI document for people, as one HTML text without scripts or anything loaded from elsewhere.
//!
//! Written by hand rather than with a template: it walks a tree whose shape only the document knows, and every text of it
//! passes [`Html::text`], which escapes.

use actix_web::http::header::HeaderValue;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use self::html::Html;
use self::schema::{items, members, resolved, sample, type_of};
use super::code::Code;

mod html;
mod schema;

const STYLE: &str = include_str!("docs.css");
const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// The page's own policy: nothing but the one style, known by its hash.
pub(super) fn content_security_policy() -> HeaderValue {
    let hash = STANDARD.encode(Sha256::digest(STYLE));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    // Base64 and fixed text are ASCII.
    HeaderValue::try_from(policy).unwrap_or_else(|_| HeaderValue::from_static("default-src 'none'"))
}

/// The page for this document.
pub(super) fn page(document: &Value) -> String {
    let mut html = Html(String::with_capacity(64 * 1024));
    html.raw("<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">");
    html.raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><meta name=\"color-scheme\" content=\"light dark\">");
    html.element("title", "kagiya: the HTTP API");
    html.raw("<style>").raw(STYLE).raw("</style></head><body>");
    html.raw("<a class=\"skip\" href=\"#operations\">Skip to the operations</a><header>");
    html.element("h1", "The HTTP API");
    html.paragraphs(text(&document["info"]["description"]));
    html.raw("<p>The same as a machine reads it: <a href=\"/openapi.json\">openapi.json</a>.</p></header>");
    let operations = operations(document);
    contents(&mut html, document, &operations);
    html.raw("<main id=\"operations\">");
    for tag in tags(document) {
        html.raw("<section>");
        html.heading("h2", &format!("tag-{}", anchor(tag)), tag);
        html.paragraphs(description_of_tag(document, tag));
        for operation in operations.iter().filter(|operation| operation.tag() == tag) {
            operation.write(&mut html, document);
        }
        html.raw("</section>");
    }
    errors(&mut html);
    html.raw("</main></body></html>\n");
    html.0
}

fn contents(html: &mut Html, document: &Value, operations: &[Operation<'_>]) {
    html.raw("<nav aria-label=\"Contents\"><ul>");
    for tag in tags(document) {
        let mut rows = operations
            .iter()
            .filter(|operation| operation.tag() == tag)
            .peekable();
        if rows.peek().is_none() {
            continue;
        }
        html.raw("<li>")
            .link(&format!("tag-{}", anchor(tag)), tag)
            .raw("<ul>");
        for operation in rows {
            html.raw("<li>")
                .link(&operation.anchor(), &operation.title())
                .raw("</li>");
        }
        html.raw("</ul></li>");
    }
    html.raw("<li>")
        .link("errors", "errors")
        .raw("</li></ul></nav>");
}

/// One method of one path.
struct Operation<'a> {
    path: &'a str,
    method: &'static str,
    value: &'a Value,
}

impl Operation<'_> {
    fn tag(&self) -> &str {
        text(&self.value["tags"][0])
    }

    fn title(&self) -> String {
        format!("{} {}", self.method.to_uppercase(), self.path)
    }

    fn anchor(&self) -> String {
        anchor(&self.title())
    }

    fn write(&self, html: &mut Html, document: &Value) {
        html.raw("<article>");
        html.raw("<h3 id=\"")
            .text(&self.anchor())
            .raw("\"><code>")
            .text(&self.title())
            .raw("</code></h3>");
        html.paragraphs(text(&self.value["summary"]));
        html.paragraphs(text(&self.value["description"]));
        self.credential(html);
        self.parameters(html);
        let body = &self.value["requestBody"]["content"]["application/json"]["schema"];
        if !body.is_null() {
            html.element("h4", "Body");
            fields(html, document, body);
        }
        self.answers(html, document);
        html.element("h4", "Example");
        html.raw("<pre><code>")
            .text(&self.example(document))
            .raw("</code></pre></article>");
    }

    fn credential(&self, html: &mut Html) {
        let required = &self.value["security"][0];
        if required["api_key"].is_array() {
            html.raw("<p>Credential: an API key, as <code>X-API-Key</code>.</p>");
        } else if let Some(scope) = required["management"][0].as_str() {
            html.raw("<p>Credential: an access token for the management API with <code>")
                .text(scope)
                .raw("</code>.</p>");
        }
    }

    fn parameters(&self, html: &mut Html) {
        let parameters = items(&self.value["parameters"]);
        if parameters.is_empty() {
            return;
        }
        html.element("h4", "Parameters")
            .raw("<table><thead><tr><th>name</th><th>in</th><th>what</th></tr></thead><tbody>");
        for parameter in parameters {
            html.raw("<tr><td><code>")
                .text(text(&parameter["name"]))
                .raw("</code></td><td>")
                .text(text(&parameter["in"]));
            html.raw("</td><td>")
                .text(text(&parameter["description"]))
                .raw("</td></tr>");
        }
        html.raw("</tbody></table>");
    }

    fn answers(&self, html: &mut Html, document: &Value) {
        html.element("h4", "Answers").raw("<dl>");
        for (status, answer) in
            members(&self.value["responses"]).filter(|(status, _)| *status != "default")
        {
            html.raw("<dt>")
                .text(status)
                .raw("</dt><dd>")
                .text(text(&answer["description"]));
            fields(
                html,
                document,
                &answer["content"]["application/json"]["schema"],
            );
            html.raw("</dd>");
        }
        html.raw("<dt>else</dt><dd>A problem: see <a href=\"#errors\">errors</a>.</dd></dl>");
    }

    fn example(&self, document: &Value) -> String {
        let mut lines = vec![format!(
            "curl -X {} \"$KAGIYA{}\"",
            self.method.to_uppercase(),
            self.path
        )];
        let required = &self.value["security"][0];
        if required["api_key"].is_array() {
            lines.push("-H \"X-API-Key: $KEY\"".to_owned());
        } else if required["management"].is_array() {
            lines.push("-H \"Authorization: Bearer $TOKEN\"".to_owned());
        }
        let body = &self.value["requestBody"]["content"]["application/json"];
        if !body.is_null() {
            let sample = if body["example"].is_null() {
                sample(document, &body["schema"], 0)
            } else {
                body["example"].clone()
            };
            lines.push("-H \"Content-Type: application/json\"".to_owned());
            // Within single quotes the shell takes everything as it is but the quote itself.
            lines.push(format!(
                "-d '{}'",
                sample.to_string().replace('\'', r"'\''")
            ));
        }
        lines.join(" \\\n  ")
    }
}

fn errors(html: &mut Html) {
    html.raw("<section>").heading("h2", "errors", "errors");
    html.paragraphs("Everything outside the OAuth endpoints answers errors as application/problem+json (RFC 9457). Match on code.");
    html.raw("<table><thead><tr><th>code</th><th>status</th><th>what</th></tr></thead><tbody>");
    for code in Code::ALL {
        html.raw("<tr id=\"error-")
            .text(code.as_str())
            .raw("\"><td><code>")
            .text(code.as_str())
            .raw("</code></td><td>");
        html.text(code.status().as_str())
            .raw("</td><td>")
            .text(code.title())
            .raw("</td></tr>");
    }
    html.raw("</tbody></table></section>");
}

/// The members of a schema, as a table; nothing for a schema without any.
fn fields(html: &mut Html, document: &Value, schema: &Value) {
    let schema = resolved(document, schema);
    if members(&schema["properties"]).next().is_none() {
        return;
    }
    html.raw("<table><thead><tr><th>field</th><th>type</th><th>what</th></tr></thead><tbody>");
    for (name, member) in members(&schema["properties"]) {
        let required = items(&schema["required"])
            .iter()
            .any(|required| required.as_str() == Some(name));
        html.raw("<tr><td><code>")
            .text(name)
            .raw("</code>")
            .raw(if required { " <b>required</b>" } else { "" });
        html.raw("</td><td>")
            .text(&type_of(document, member))
            .raw("</td><td>")
            .text(text(&member["description"]));
        html.raw("</td></tr>");
    }
    html.raw("</tbody></table>");
}

fn operations(document: &Value) -> Vec<Operation<'_>> {
    let rows = members(&document["paths"]).flat_map(|(path, item)| {
        METHODS.iter().map(move |method| Operation {
            path,
            method,
            value: &item[*method],
        })
    });
    rows.filter(|operation| operation.value.is_object())
        .collect()
}

fn tags(document: &Value) -> impl Iterator<Item = &str> {
    items(&document["tags"])
        .iter()
        .filter_map(|tag| tag["name"].as_str())
}

fn description_of_tag<'a>(document: &'a Value, name: &str) -> &'a str {
    items(&document["tags"])
        .iter()
        .find(|tag| tag["name"] == name)
        .map_or("", |tag| text(&tag["description"]))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn anchor(title: &str) -> String {
    let mut anchor = String::new();
    for letter in title.chars() {
        match letter.is_ascii_alphanumeric() {
            true => anchor.push(letter.to_ascii_lowercase()),
            false if anchor.ends_with('-') => {}
            false => anchor.push('-'),
        }
    }
    anchor.trim_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn document() -> Value {
        json!({
            "info": {"description": "What <it> is."},
            "tags": [{"name": "keys", "description": "Make & break."}],
            "paths": {"/v1/keys/{id}": {"post": {
                "tags": ["keys"], "summary": "Make a key",
                "security": [{"management": ["keys:write"]}],
                "parameters": [{"name": "id", "in": "path", "description": "Its \"id\"."}],
                "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/NewKey"}}}},
                "responses": {"201": {"description": "Made"}},
            }}},
            "components": {"schemas": {"NewKey": {"type": "object", "required": ["name"], "properties": {
                "name": {"type": "string", "example": "it's mine", "description": "A <b>name</b>."},
                "grace": {"type": ["integer", "null"]},
            }}}},
        })
    }

    #[test]
    fn every_text_of_the_document_is_escaped() {
        let page = page(&document());
        assert!(
            page.contains("What &lt;it&gt; is.")
                && page.contains("A &lt;b&gt;name&lt;/b&gt;.")
                && page.contains("Its &quot;id&quot;.")
        );
        assert!(!page.contains("<script") && !page.contains("style=") && !page.contains("src="));
    }

    #[test]
    fn an_operation_shows_credential_fields_and_an_example() {
        let page = page(&document());
        assert!(
            page.contains("<h3 id=\"post-v1-keys-id\"><code>POST /v1/keys/{id}</code></h3>"),
            "{page}"
        );
        assert!(page.contains("<code>keys:write</code>"));
        assert!(page.contains("<code>name</code> <b>required</b></td><td>string</td>"));
        assert!(page.contains("integer or null"));
        assert!(page.contains("-H &quot;Authorization: Bearer $TOKEN&quot;"));
        assert!(
            page.contains("-d &#39;{&quot;name&quot;:&quot;it&#39;\\&#39;&#39;s mine&quot;}&#39;")
        );
    }

    #[test]
    fn the_policy_allows_the_one_style_alone() {
        let policy = content_security_policy();
        let policy = policy.to_str().unwrap();
        assert!(
            policy.starts_with("default-src 'none'; style-src 'sha256-")
                && !policy.contains("unsafe")
        );
    }
}
