//! API resources and their permissions. Making one ends in a short guide.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;

use super::operators_alone;
use crate::broker::{NewPermission, NewResource, ResourceChange};
use crate::dashboard::done::Done;
use crate::dashboard::errors::{Wrong, of_form};
use crate::dashboard::fields::Fields;
use crate::dashboard::language::Words;
use crate::dashboard::markup::Markup;
use crate::dashboard::paging::{Address, ROWS, after, cut, search, sought};
use crate::dashboard::place::{Place, Topic};
use crate::dashboard::view::{
    Action, Block, Choice, Column, Empty, Fact, Field, Form, Guide, Kind, Notice, Page, Row, Table,
    Tone, Value,
};
use crate::dashboard::visit::{Person, PersonForm};
use crate::domain::algorithm::SigningAlgorithm;
use crate::domain::id::ResourceId;
use crate::domain::permission::Permission;
use crate::domain::resource::{MetadataClaims, Resource, TokenLifetime};
use crate::domain::scope::ScopeToken;
use crate::domain::text;
use crate::http::path::Id;
use crate::http::problem::Problem;

/// All of them.
///
/// # Errors
/// Not an operator, or the database does not answer.
pub async fn list(person: Person) -> Result<HttpResponse, Problem> {
    operators_alone(&person)?;
    let words = person.words;
    let mut found = person
        .broker
        .resources(
            person.caller(),
            sought(&person.query),
            after(&person.query),
            ROWS + 1,
        )
        .await?;
    let address = Address::new("/dashboard/resources", &person.query, &["q"]);
    let pager = cut(words, &mut found, &address, |resource| {
        (resource.created_at, resource.id.to_string())
    });
    let times = person.times();
    let row = |resource: &Resource| {
        let mut name = vec![Value::Link {
            href: format!("/dashboard/resources/{}", resource.id),
            text: resource
                .name
                .clone()
                .unwrap_or_else(|| resource.identifier.to_string()),
        }];
        if resource.reserved {
            name.push(Value::Words(words.t("resource-reserved")));
        }
        Row {
            cells: vec![
                Value::Lines(name),
                Value::Code(resource.identifier.to_string()),
                Value::Words(times.span(resource.token_lifetime.seconds().into())),
                Value::Code(resource.signing_algorithm.as_str().to_owned()),
            ],
        }
    };
    let own = found.iter().all(|resource| resource.reserved);
    let mut page = Page::new(words.t("resources")).lead(words.t("resources-lead"));
    if found.is_empty() && address.is_narrowed() {
        page = page
            .block(search(words, &address, &person.query))
            .block(Empty {
                text: words.t("nothing-fits"),
                action: None,
            });
        return person.page(Place::All, Topic::Resources, page).await;
    }
    if own && !address.is_narrowed() {
        page = page.block(Empty {
            text: words.t("resources-none"),
            action: Some(Action {
                label: words.t("resource-make"),
                href: "/dashboard/resources/new".to_owned(),
                tone: Tone::Accent,
            }),
        });
    } else {
        page = page
            .action(words.t("resource-make"), "/dashboard/resources/new")
            .block(search(words, &address, &person.query));
    }
    page = page
        .block(Table {
            caption: words.t("resources"),
            columns: ["name", "identifier", "token-lifetime", "signing-alg"]
                .map(|key| Column::new(words.t(key)))
                .to_vec(),
            rows: found.iter().map(row).collect(),
        })
        .block(pager);
    person.page(Place::All, Topic::Resources, page).await
}

/// Asks for one.
///
/// # Errors
/// Not an operator.
pub async fn ask(person: Person) -> Result<HttpResponse, Problem> {
    operators_alone(&person)?;
    let page = new_form(&person, &Fields::default(), &Wrong::new());
    person.page(Place::All, Topic::Resources, page).await
}

fn new_form(person: &Person, sent: &Fields, wrong: &Wrong) -> Page {
    let words = person.words;
    let identifier = Field::text("identifier", words.t("identifier"))
        .value(sent.text("identifier"))
        .help(words.t("identifier-help"))
        .required()
        .error(wrong.of("identifier"));
    let permissions = Field::text("permissions", words.t("permissions"))
        .kind(Kind::Area)
        .value(sent.text("permissions"))
        .help(words.t("resource-permissions-help"))
        .error(wrong.of("permissions"));
    let form = Form::new("/dashboard/resources/new", words.t("resource-make"))
        .part(identifier)
        .part(name_field(words, sent.text("name"), wrong))
        .part(permissions)
        .part(lifetime_field(words, sent.text("lifetime"), wrong))
        .part(algorithm_field(words, sent.text("algorithm")))
        .cancel(words.t("cancel"), "/dashboard/resources");
    let mut page = Page::new(words.t("resource-make"))
        .narrow()
        .crumb(words.t("resources"), "/dashboard/resources");
    if let Some(wrong) = wrong.of("") {
        page = page.error_if(true).block(Notice::news(Tone::Danger, wrong));
    }
    page.block(form)
}

fn name_field(words: Words, value: &str, wrong: &Wrong) -> Field {
    Field::text("name", words.t("name"))
        .value(value)
        .help(words.t("resource-name-help"))
        .error(wrong.of("name"))
}

fn lifetime_field(words: Words, value: &str, wrong: &Wrong) -> Field {
    Field::text("lifetime", words.t("token-lifetime"))
        .kind(Kind::Number {
            min: TokenLifetime::MIN.into(),
            max: TokenLifetime::MAX.into(),
        })
        .value(value)
        .help(words.t("token-lifetime-help"))
        .error(wrong.of("lifetime"))
}

fn algorithm_field(words: Words, chosen: &str) -> Field {
    let choices = SigningAlgorithm::ALL.map(|algorithm| {
        let word = algorithm.as_str();
        let first = chosen.is_empty() && algorithm == SigningAlgorithm::Es256;
        Choice::data(word, word, word == chosen || first)
    });
    Field::text("algorithm", words.t("signing-alg"))
        .kind(Kind::Select(choices.to_vec()))
        .help(words.t("signing-alg-help"))
}

/// The lines of a field: a name, and behind a space what it lets do.
fn read_permissions(words: Words, text: &str, wrong: &mut Wrong) -> Vec<NewPermission> {
    let mut permissions = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (name, description) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let description = match description.trim() {
            "" => Ok(None),
            text => text::description(text).map(Some),
        };
        match (name.parse::<ScopeToken>(), description) {
            (Ok(name), Ok(description)) => permissions.push(NewPermission { name, description }),
            _ => {
                wrong.add("permissions", words.one("wrong-permission", "line", line));
                return permissions;
            }
        }
    }
    permissions
}

fn read_name(words: Words, fields: &Fields, wrong: &mut Wrong) -> Option<String> {
    match fields.given("name").map(text::name).transpose() {
        Ok(name) => name,
        Err(_) => {
            wrong.add("name", words.t("wrong-value"));
            None
        }
    }
}

fn read_lifetime(words: Words, fields: &Fields, wrong: &mut Wrong) -> Option<TokenLifetime> {
    let given = fields.given("lifetime")?;
    let seconds: Option<u32> = given.parse().ok();
    match seconds.map(TokenLifetime::try_from) {
        Some(Ok(lifetime)) => Some(lifetime),
        _ => {
            wrong.add("lifetime", words.t("wrong-lifetime"));
            None
        }
    }
}

/// Makes one.
///
/// # Errors
/// Not an operator, or the database does not answer.
pub async fn make(sent: PersonForm) -> Result<HttpResponse, Problem> {
    let PersonForm { person, fields } = sent;
    operators_alone(&person)?;
    let words = person.words;
    let mut wrong = Wrong::new();
    let identifier = fields.text("identifier").parse();
    if identifier.is_err() {
        wrong.add("identifier", words.t("wrong-identifier"));
    }
    let name = read_name(words, &fields, &mut wrong);
    let token_lifetime = read_lifetime(words, &fields, &mut wrong);
    let permissions = read_permissions(words, fields.raw("permissions"), &mut wrong);
    if let (Ok(identifier), true) = (identifier, wrong.is_empty()) {
        let new = NewResource {
            identifier,
            name,
            token_lifetime,
            signing_algorithm: fields.text("algorithm").parse().ok(),
            metadata_claims: MetadataClaims::default(),
            permissions,
        };
        let made = person
            .broker
            .create_resource(new, person.caller(), person.origin(), None)
            .await;
        match made {
            Ok((resource, _)) => {
                let to = format!("/dashboard/resources/{}?made=1", resource.id);
                return Ok(person.redirect(&to));
            }
            Err(error) => {
                wrong = of_form(words, error, &["identifier", "name", "permissions"])?;
            }
        }
    }
    let page = new_form(&person, &fields, &wrong);
    let place = (Place::All, Topic::Resources);
    person
        .page_with(StatusCode::UNPROCESSABLE_ENTITY, place, page)
        .await
}

/// One of them.
///
/// # Errors
/// Not an operator, not there, or the database does not answer.
pub async fn show(person: Person, Id(id): Id<ResourceId>) -> Result<HttpResponse, Problem> {
    let page = page(&person, id, None, &Wrong::new()).await?;
    person.page(Place::All, Topic::Resources, page).await
}

async fn page(
    person: &Person,
    id: ResourceId,
    sent: Option<&Fields>,
    wrong: &Wrong,
) -> Result<Page, Problem> {
    operators_alone(person)?;
    let words = person.words;
    let (resource, permissions) = person
        .broker
        .resource_with_permissions(id, person.caller())
        .await?;
    let name = resource.name.clone();
    let here = format!("/dashboard/resources/{id}");
    let mut page = Page::new(words.t("resource"))
        .heading(name.unwrap_or_else(|| resource.identifier.to_string()))
        .narrow()
        .crumb(words.t("resources"), "/dashboard/resources");
    if let Some(wrong) = wrong.of("") {
        page = page.error_if(true).block(Notice::news(Tone::Danger, wrong));
    }
    if person.query.text("made") == "1" {
        page = page
            .block(Notice::news(Tone::Ok, words.t("resource-made")))
            .block(guide(person, &resource));
    }
    page = page
        .block(Block::Facts(facts(person, &resource)))
        .block(Block::Heading {
            text: words.t("permissions"),
            id: "permissions",
        })
        .block(permission_block(words, &resource, &permissions));
    if resource.reserved {
        return Ok(page);
    }
    let given = |field: &str, now: String| sent.map_or(now, |sent| sent.text(field).to_owned());
    let add = Form::new(format!("{here}/permissions"), words.t("permission-add"))
        .part(
            Field::text("scope", words.t("permission"))
                .value(given("scope", String::new()))
                .help(words.t("permission-help"))
                .required()
                .error(wrong.of("scope")),
        )
        .part(
            Field::text("description", words.t("description"))
                .value(given("description", String::new()))
                .error(wrong.of("description")),
        )
        .tone(Tone::Plain);
    let lifetime = resource.token_lifetime.seconds().to_string();
    let algorithm = resource.signing_algorithm.as_str().to_owned();
    let edit = Form::new(here.clone(), words.t("save"))
        .hidden("version", resource.version.to_string())
        .part(name_field(
            words,
            &given("name", resource.name.clone().unwrap_or_default()),
            wrong,
        ))
        .part(lifetime_field(words, &given("lifetime", lifetime), wrong))
        .part(algorithm_field(words, &given("algorithm", algorithm)));
    Ok(page
        .block(add)
        .block(Block::Heading {
            text: words.t("settings"),
            id: "settings",
        })
        .block(edit)
        .block(Block::Heading {
            text: words.t("danger"),
            id: "danger",
        })
        .block(Block::Actions(vec![Action {
            label: words.t("resource-delete"),
            href: format!("{here}/delete"),
            tone: Tone::Danger,
        }])))
}

fn guide(person: &Person, resource: &Resource) -> Guide {
    let words = person.words;
    let base = &person.dashboard.base;
    let code = |text: String| Markup::code(text);
    Guide {
        steps: vec![
            Value::Html(words.mix(
                "guide-resource-verify",
                [
                    ("jwks", &code(format!("{base}/.well-known/jwks.json"))),
                    ("issuer", &code(base.clone())),
                    ("audience", &code(resource.identifier.to_string())),
                ],
            )),
            Value::Words(words.t("guide-resource-scope")),
            Value::Html(words.mix(
                "guide-resource-role",
                [(
                    "link",
                    &Markup::link("/dashboard/roles/new", words.t("role-make").as_str()),
                )],
            )),
        ],
    }
}

fn facts(person: &Person, resource: &Resource) -> Vec<Fact> {
    let words = person.words;
    let fact = |key: &str, value| Fact {
        name: words.t(key),
        value,
    };
    let copy = |text: String| Value::Copy {
        text,
        label: words.t("copy"),
    };
    let base = &person.dashboard.base;
    vec![
        fact("identifier", copy(resource.identifier.to_string())),
        fact("issuer", copy(base.clone())),
        fact("jwks", copy(format!("{base}/.well-known/jwks.json"))),
    ]
}

fn permission_block(words: Words, resource: &Resource, permissions: &[Permission]) -> Block {
    if permissions.is_empty() {
        return Empty {
            text: words.t("resource-no-permissions"),
            action: None,
        }
        .into();
    }
    let row = |permission: &Permission| {
        let mut cells = vec![
            Value::Code(permission.name.to_string()),
            match &permission.description {
                Some(text) => Value::Data(text.clone()),
                None => Value::Nothing(words.t("none")),
            },
        ];
        if !resource.reserved {
            cells.push(Value::Act {
                href: format!(
                    "/dashboard/resources/{}/permissions/{}/delete",
                    resource.id, permission.id
                ),
                text: words.t("delete"),
                about: permission.name.to_string(),
            });
        }
        Row { cells }
    };
    let mut columns: Vec<Column> = ["permission", "description"]
        .map(|key| Column::new(words.t(key)))
        .to_vec();
    if !resource.reserved {
        columns.push(Column::new(words.t("action")));
    }
    Table {
        caption: words.t("permissions"),
        columns,
        rows: permissions.iter().map(row).collect(),
    }
    .into()
}

/// Changes one.
///
/// # Errors
/// Not an operator, not there, or the database does not answer.
pub async fn change(sent: PersonForm, Id(id): Id<ResourceId>) -> Result<HttpResponse, Problem> {
    let PersonForm { person, fields } = sent;
    operators_alone(&person)?;
    let words = person.words;
    let mut wrong = Wrong::new();
    let change = ResourceChange {
        name: Some(read_name(words, &fields, &mut wrong)),
        token_lifetime: Some(read_lifetime(words, &fields, &mut wrong)),
        signing_algorithm: Some(fields.text("algorithm").parse().ok()),
        metadata_claims: None,
    };
    if wrong.is_empty() {
        let version = fields.version();
        let changed = person
            .broker
            .update_resource(id, change, person.caller(), person.origin(), |now| {
                now == version
            })
            .await;
        match changed {
            Ok(_) => {
                let to = format!("/dashboard/resources/{id}");
                return Ok(person.done(&to, Done::ResourceChanged));
            }
            Err(error) => wrong = of_form(words, error, &["name", "lifetime"])?,
        }
    }
    again(&person, id, &fields, &wrong).await
}

async fn again(
    person: &Person,
    id: ResourceId,
    fields: &Fields,
    wrong: &Wrong,
) -> Result<HttpResponse, Problem> {
    let page = page(person, id, Some(fields), wrong).await?;
    let place = (Place::All, Topic::Resources);
    person
        .page_with(StatusCode::UNPROCESSABLE_ENTITY, place, page)
        .await
}

/// Adds a permission.
///
/// # Errors
/// Not an operator, not there, or the database does not answer.
pub async fn add_permission(
    sent: PersonForm,
    Id(id): Id<ResourceId>,
) -> Result<HttpResponse, Problem> {
    let PersonForm { person, fields } = sent;
    operators_alone(&person)?;
    let words = person.words;
    let mut wrong = Wrong::new();
    let name = fields.text("scope").parse::<ScopeToken>();
    if name.is_err() {
        wrong.add("scope", words.t("wrong-scope"));
    }
    let description = fields
        .given("description")
        .map(text::description)
        .transpose();
    if description.is_err() {
        wrong.add("description", words.t("wrong-long"));
    }
    if let (Ok(name), Ok(description)) = (name, description) {
        let new = NewPermission { name, description };
        let added = person
            .broker
            .create_permission(id, new, person.caller(), person.origin(), None)
            .await;
        match added {
            Ok(_) => {
                let to = format!("/dashboard/resources/{id}");
                return Ok(person.done(&to, Done::PermissionAdded));
            }
            Err(crate::broker::Error::Conflict(crate::broker::Conflict::PermissionExists)) => {
                wrong.add("scope", words.t("wrong-permission-exists"));
            }
            Err(error) => wrong = of_form(words, error, &["scope"])?,
        }
    }
    again(&person, id, &fields, &wrong).await
}
