//! What is asked of a rule: the permissions of its two resources to be ticked, and how it trades.

use crate::dashboard::errors::Wrong;
use crate::dashboard::fields::Fields;
use crate::dashboard::language::{Text, Words};
use crate::dashboard::view::{Block, Choice, Fact, Field, Form, Kind, Part, Value};
use crate::dashboard::visit::Person;
use crate::domain::exchange_rule::ExchangeMode;
use crate::domain::id::{ApplicationId, ResourceId};
use crate::domain::permission::Permission;
use crate::domain::resource::Resource;
use crate::domain::scope::ScopeToken;
use crate::http::problem::Problem;

/// The two resources of a rule with their permissions.
pub(super) struct Ends {
    pub(super) source: (Resource, Vec<Permission>),
    pub(super) target: (Resource, Vec<Permission>),
}

impl Ends {
    pub(super) async fn of(
        person: &Person,
        source: ResourceId,
        target: ResourceId,
    ) -> Result<Self, Problem> {
        let (broker, caller) = (&person.broker, person.caller());
        Ok(Self {
            source: broker.resource_with_permissions(source, caller).await?,
            target: broker.resource_with_permissions(target, caller).await?,
        })
    }
}

/// What is asked of a rule, given the permissions of its two ends.
pub(super) fn questions(
    words: Words,
    form: Form,
    ends: &Ends,
    sent: &Fields,
    wrong: &Wrong,
) -> Form {
    let boxes = |name: &'static str, permissions: &[Permission]| -> Vec<Choice> {
        permissions
            .iter()
            .map(|permission| {
                let scope = permission.name.to_string();
                let is_chosen = sent.all(name).any(|other| other == scope);
                Choice::data(scope.clone(), scope, is_chosen).help(permission.description.clone())
            })
            .collect()
    };
    let check = |name: &'static str, label: Text, help: Text| {
        Field::text(name, label)
            .kind(Kind::Check(sent.ticked(name)))
            .value("1")
            .help(help)
            .error(wrong.of(name))
    };
    let mut form = form;
    let given = boxes("scopes", &ends.target.1);
    if given.is_empty() {
        form = form.part(Part::Text(words.t("rule-no-permissions").into()));
    } else {
        form = form.part(
            Field::text("scopes", words.t("rule-scopes"))
                .kind(Kind::Boxes(given))
                .help(words.t("rule-scopes-help"))
                .error(wrong.of("scopes")),
        );
    }
    let required = boxes("requires_scope", &ends.source.1);
    if !required.is_empty() {
        form = form.part(
            Field::text("requires_scope", words.t("rule-requires"))
                .kind(Kind::Boxes(required))
                .help(words.t("rule-requires-help"))
                .error(wrong.of("requires_scope")),
        );
    }
    form.part(check(
        "subject_must_hold",
        words.t("rule-must-hold"),
        words.t("rule-must-hold-help"),
    ))
    .part(check(
        "delegation",
        words.t("rule-delegation"),
        words.t("rule-delegation-help"),
    ))
    .part(check(
        "impersonation",
        words.t("rule-impersonation"),
        words.t("rule-impersonation-help"),
    ))
}

/// What stands above the questions: who, from where, to where.
pub(super) fn ends_facts(words: Words, (id, name): (ApplicationId, &str), ends: &Ends) -> Block {
    Block::Facts(vec![
        Fact {
            name: words.t("application"),
            value: Value::Link {
                href: format!("/dashboard/applications/{id}"),
                text: name.to_owned(),
            },
        },
        Fact {
            name: words.t("rule-from"),
            value: Value::Code(ends.source.0.identifier.to_string()),
        },
        Fact {
            name: words.t("rule-to"),
            value: Value::Code(ends.target.0.identifier.to_string()),
        },
    ])
}

pub(super) fn scopes(fields: &Fields, name: &str) -> Vec<ScopeToken> {
    let all = fields.all(name);
    all.filter_map(|scope| scope.parse().ok()).collect()
}

pub(super) fn mode(fields: &Fields) -> ExchangeMode {
    ExchangeMode {
        delegation: fields.ticked("delegation"),
        impersonation: fields.ticked("impersonation"),
    }
}
