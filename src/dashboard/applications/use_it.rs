//! What an application's program needs: ids and addresses to be copied, and how it gets a token.

use super::{method_words, snippets, state};
use crate::broker::ShownApplication;
use crate::dashboard::markup::Markup;
use crate::dashboard::view::{Fact, Guide, Lines, Value};
use crate::dashboard::visit::Person;
use crate::domain::application::TokenEndpointAuthMethod;
use crate::domain::id::ApplicationId;

/// What its program and its operator look up.
pub(super) fn facts(person: &Person, shown: &ShownApplication) -> Vec<Fact> {
    let words = person.words;
    let application = &shown.application;
    let base = &person.dashboard.base;
    let fact = |key: &str, value| Fact {
        name: words.t(key),
        value,
    };
    let copy = |text: String| Value::Copy {
        text,
        label: words.t("copy"),
    };
    let mut facts = vec![
        fact("state", state(words, application)),
        fact("client-id", copy(application.id.to_string())),
        fact("token-endpoint", copy(format!("{base}/oauth/token"))),
        fact("issuer", copy(base.clone())),
        fact("jwks", copy(format!("{base}/.well-known/jwks.json"))),
        fact(
            "client-auth",
            Value::Words(method_words(words, application.auth_method)),
        ),
    ];
    if let Some(resource) = &shown.default_resource {
        let value = Value::Code(resource.to_string());
        facts.push(fact("application-default", value));
    }
    if let Some(cidrs) = &application.allowed_cidrs {
        let lines = cidrs.iter().map(|cidr| Value::Code(cidr.to_string()));
        facts.push(fact("addresses", Value::Lines(lines.collect())));
    }
    if let Some(id) = application.may_act {
        facts.push(fact("application-may-act", Value::Code(id.to_string())));
    }
    facts
}

/// Lines that get a token; none for one that signs assertions, which takes a library.
pub(super) fn lines(person: &Person, shown: &ShownApplication) -> Option<Lines> {
    let application = &shown.application;
    if !application.uses_secrets() {
        return None;
    }
    let resource = shown.default_resource.as_ref();
    let resource = resource.or_else(|| {
        shown
            .permissions
            .iter()
            .map(|(resource, _)| resource)
            .next()
    });
    let in_body = application.auth_method == Some(TokenEndpointAuthMethod::ClientSecretPost);
    Some(snippets::client_credentials(
        person.words,
        &person.dashboard.base,
        (&application.id.to_string(), in_body),
        resource.map(|resource| resource.as_str()),
    ))
}

/// What one that signs assertions has to put into them (RFC 7523 §3).
pub(super) fn signing_guide(person: &Person, id: ApplicationId) -> Guide {
    let words = person.words;
    let issuer = Markup::code(&person.dashboard.base);
    Guide {
        steps: vec![
            Value::Html(words.mix(
                "client-use-sign",
                [("id", &Markup::code(id.to_string())), ("issuer", &issuer)],
            )),
            Value::Html(words.mix(
                "client-use-send",
                [(
                    "type",
                    &Markup::code("urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
                )],
            )),
        ],
    }
}
