//! What a form says of an application beside its roles: asked, and read.

use crate::dashboard::errors::Wrong;
use crate::dashboard::fields::Fields;
use crate::dashboard::form_parts::{LimitTexts, addresses_field};
use crate::dashboard::keys::name_words;
use crate::dashboard::language::Words;
use crate::dashboard::view::{Choice, Field, Form, Group, Kind};
use crate::dashboard::visit::Person;
use crate::domain::application::{Application, TokenEndpointAuthMethod};
use crate::domain::id::{ApplicationId, ResourceId};
use crate::domain::limits::AllowedCidrs;
use crate::domain::resource::{Resource, ResourceIdentifier};
use crate::domain::text;
use crate::http::problem::Problem;

use super::method_words;

/// The names of the fields that a refusal may be about.
pub(super) const NAMES: [&str; 8] = [
    "name",
    "description",
    "roles",
    "jwks",
    "default_resource",
    "resources",
    "addresses",
    "may_act",
];
/// Resources that can be chosen from.
const RESOURCES: usize = 200;

/// What a form says.
pub(super) struct Read {
    pub(super) name: Option<String>,
    pub(super) description: Option<String>,
    pub(super) auth_method: Option<TokenEndpointAuthMethod>,
    pub(super) jwks: Option<String>,
    pub(super) legacy_assertion_audience: bool,
    pub(super) default_resource: Option<ResourceIdentifier>,
    pub(super) allowed_cidrs: Option<AllowedCidrs>,
    pub(super) may_act: Option<ApplicationId>,
    pub(super) resources: Vec<ResourceId>,
}

/// Reads it; what is wrong is told beside its field.
pub(super) fn read(words: Words, sent: &Fields, wrong: &mut Wrong) -> Read {
    let name = match text::name(sent.text("name")) {
        Ok(name) => Some(name),
        Err(error) => {
            wrong.add("name", name_words(words, error));
            None
        }
    };
    let description = sent.given("description").map(text::description).transpose();
    if description.is_err() {
        wrong.add("description", words.t("wrong-long"));
    }
    let may_act = sent.given("may_act").map(str::parse).transpose();
    if may_act.is_err() {
        wrong.add("may_act", words.t("wrong-application-id"));
    }
    let auth_method: Option<TokenEndpointAuthMethod> = sent.text("auth").parse().ok();
    // Keys that were written down before another way was chosen go with no other way.
    let signs = auth_method == Some(TokenEndpointAuthMethod::PrivateKeyJwt);
    let jwks = sent.given("jwks").filter(|_| signs).map(str::to_owned);
    if signs && jwks.is_none() {
        wrong.add("jwks", words.t("wrong-jwks"));
    }
    Read {
        name,
        description: description.unwrap_or_default(),
        auth_method,
        jwks,
        legacy_assertion_audience: signs && sent.ticked("legacy"),
        default_resource: sent
            .given("default_resource")
            .and_then(|text| text.parse().ok()),
        allowed_cidrs: LimitTexts::sent(sent)
            .read(words, None, wrong)
            .allowed_cidrs,
        may_act: may_act.unwrap_or_default(),
        resources: sent
            .all("resources")
            .filter_map(|id| id.parse().ok())
            .collect(),
    }
}

/// An application as a form would have sent it.
pub(super) fn of(
    application: &Application,
    default_resource: Option<&ResourceIdentifier>,
) -> Fields {
    let cidrs = application.allowed_cidrs.as_ref().map(|cidrs| {
        let lines: Vec<String> = cidrs.iter().map(ToString::to_string).collect();
        lines.join("\n")
    });
    let method = application.auth_method;
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let mut fields = Fields::of([
        ("name", application.name.clone()),
        ("description", text(&application.description)),
        (
            "auth",
            method.map_or_else(String::new, |method| method.as_str().to_owned()),
        ),
        ("jwks", text(&application.jwks)),
        (
            "default_resource",
            default_resource.map_or_else(String::new, ToString::to_string),
        ),
        ("addresses", cidrs.unwrap_or_default()),
        (
            "may_act",
            application
                .may_act
                .map_or_else(String::new, |id| id.to_string()),
        ),
    ]);
    if application.legacy_assertion_audience {
        fields.add("legacy", "1");
    }
    for id in &application.resources {
        fields.add("resources", &id.to_string());
    }
    fields
}

/// The name and what it is for.
pub(super) fn who(words: Words, form: Form, sent: &Fields, wrong: &Wrong) -> Form {
    let name = Field::text("name", words.t("name"))
        .value(sent.text("name"))
        .help(words.t("application-name-help"))
        .required()
        .error(wrong.of("name"));
    let description = Field::text("description", words.t("description"))
        .value(sent.text("description"))
        .error(wrong.of("description"));
    form.part(name).part(description)
}

/// How it proves who it is, and what limits it: folded away where nothing of it is set.
///
/// # Errors
/// The database does not answer.
pub(super) async fn rest(
    person: &Person,
    form: Form,
    (sent, folded): (&Fields, bool),
    wrong: &Wrong,
) -> Result<Form, Problem> {
    let words = person.words;
    let resources = person
        .broker
        .resources(person.caller(), None, None, RESOURCES)
        .await?;
    let open = |names: &[&str]| {
        let used = |name: &&str| !sent.text(name).is_empty() || wrong.of(name).is_some();
        folded.then(|| names.iter().any(used))
    };
    Ok(form
        .part(Group {
            title: words.t("client-auth"),
            folded: open(&["auth", "jwks"]),
            parts: proof(words, sent, wrong)
                .into_iter()
                .map(Into::into)
                .collect(),
        })
        .part(Group {
            title: words.t("application-more"),
            folded: open(&["default_resource", "addresses", "may_act", "resources"]),
            parts: limits(person, &resources, sent, wrong)
                .into_iter()
                .map(Into::into)
                .collect(),
        }))
}

fn proof(words: Words, sent: &Fields, wrong: &Wrong) -> Vec<Field> {
    let chosen: Option<TokenEndpointAuthMethod> = sent.text("auth").parse().ok();
    let known = TokenEndpointAuthMethod::ALL.into_iter().map(Some);
    let methods = std::iter::once(None).chain(known).map(|method| {
        let value = method.map_or("", TokenEndpointAuthMethod::as_str);
        Choice::words(value, method_words(words, method), method == chosen)
    });
    vec![
        Field::text("auth", words.t("client-auth-how")).kind(Kind::Radio(methods.collect())),
        Field::text("jwks", words.t("client-jwks"))
            .kind(Kind::Area)
            .value(sent.text("jwks"))
            .help(words.t("client-jwks-help"))
            .error(wrong.of("jwks")),
        Field::text("legacy", words.t("client-legacy"))
            .kind(Kind::Check(sent.ticked("legacy")))
            .value("1")
            .help(words.t("client-legacy-help")),
    ]
}

fn limits(person: &Person, resources: &[Resource], sent: &Fields, wrong: &Wrong) -> Vec<Field> {
    let words = person.words;
    let title = |resource: &Resource| {
        let identifier = resource.identifier.to_string();
        match &resource.name {
            Some(name) => format!("{name} ({identifier})"),
            None => identifier,
        }
    };
    let chosen = sent.text("default_resource");
    let none = Choice::words("", words.t("none"), chosen.is_empty());
    let known = resources.iter().map(|resource| {
        let value = resource.identifier.to_string();
        let is_chosen = value == chosen;
        Choice::data(value, title(resource), is_chosen)
    });
    let default = Field::text("default_resource", words.t("application-default"))
        .kind(Kind::Select(std::iter::once(none).chain(known).collect()))
        .help(words.t("application-default-help"))
        .error(wrong.of("default_resource"));
    let may_act = Field::text("may_act", words.t("application-may-act"))
        .value(sent.text("may_act"))
        .help(words.t("application-may-act-help"))
        .error(wrong.of("may_act"));
    let mut fields = vec![
        addresses_field(words, sent.text("addresses"), wrong),
        default,
        may_act,
    ];
    let served: Vec<Choice> = resources
        .iter()
        .filter(|resource| !resource.reserved)
        .map(|resource| {
            let id = resource.id.to_string();
            let is_chosen = sent.all("resources").any(|other| other == id);
            Choice::data(id, title(resource), is_chosen)
        })
        .collect();
    if person.is_operator() && !served.is_empty() {
        let serves = Field::text("resources", words.t("application-serves"))
            .kind(Kind::Boxes(served))
            .help(words.t("application-serves-help"))
            .error(wrong.of("resources"));
        fields.push(serves);
    }
    fields
}
