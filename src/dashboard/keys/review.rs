//! What a change of a key's permissions takes away and adds, told before it is saved.

use super::path;
use crate::broker::keys::ShownKey;
use crate::dashboard::form_parts::{Ticked, ticked_of};
use crate::dashboard::markup::Markup;
use crate::dashboard::view::{Form, Group, Notice, Page, Part, Tone, Value};
use crate::dashboard::visit::Person;

/// The page that tells it, with a form that carries what is wanted along.
pub(super) fn review(person: &Person, key: &ShownKey, wanted: &Ticked) -> Page {
    let words = person.words;
    let id = key.stored.key.id;
    let before = ticked_of(&key.permissions);
    let line = |key: &str, (resource, scope): &(String, String)| {
        let (scope, resource) = (Markup::code(scope), Markup::code(resource));
        let values = [("scope", &scope), ("resource", &resource)];
        Value::Html(match key {
            "diff-taken" => words.mix("diff-taken", values),
            "diff-given" => words.mix("diff-given", values),
            _ => words.mix("diff-kept", values),
        })
    };
    let taken = before
        .difference(wanted)
        .map(|pair| line("diff-taken", pair));
    let given = wanted
        .difference(&before)
        .map(|pair| line("diff-given", pair));
    let kept = before
        .intersection(wanted)
        .map(|pair| line("diff-kept", pair));
    let changes: Vec<Value> = taken.chain(given).collect();
    let kept: Vec<Value> = kept.collect();
    let mut page = Page::new(words.t("permissions-review-title"))
        .narrow()
        .crumb(key.stored.key.name.as_str(), path(&id, ""));
    if changes.is_empty() {
        page = page.block(Notice::new(Tone::Plain, words.t("diff-none")));
    }
    let mut form = Form::new(path(&id, "/permissions"), words.t("save"))
        .hidden("confirmed", "yes")
        .hidden("version", key.stored.key.epoch.to_string())
        .part(Part::Sentences(changes))
        .cancel(words.t("back"), path(&id, "/permissions"));
    if !kept.is_empty() {
        form = form.part(Group {
            title: words.one("diff-kept-title", "count", kept.len()),
            folded: Some(false),
            parts: vec![Part::Sentences(kept)],
        });
    }
    form = form.part(Part::Text(words.t("diff-when").into()));
    for (resource, scope) in wanted {
        form = form.hidden("permission", format!("{resource} {scope}"));
    }
    page.block(form)
}
