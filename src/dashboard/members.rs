//! Members of an organization: who they are, what they are there, and who is invited.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;

use super::done::Done;
use super::errors::{Wrong, of_form};
use super::fields::Fields;
use super::language::{Text, Words};
use super::organization::overseen;
use super::paging::{Address, ROWS, after, cut, search, sought};
use super::place::{Place, Topic};
use super::view::{
    Action, Block, Choice, Column, Empty, Fact, Field, Form, Kind, Notice, Page, Part, Row, Table,
    Tone, Value,
};
use super::visit::{Person, PersonForm};
use crate::broker::sign_in::NewLink;
use crate::broker::{NewMembership, ShownRole};
use crate::domain::id::{LinkId, OrganizationId, RoleId, UserId};
use crate::domain::organization::OwnerGone;
use crate::domain::role::RoleKind;
use crate::domain::sign_in::{LinkPurpose, SignInLink};
use crate::domain::user::{MemberRole, Membership, User};
use crate::http::path::{Id, Ids};
use crate::http::problem::Problem;

/// Roles that can be chosen from.
const ROLES: usize = 200;

/// What a member is, in words.
pub fn role_words(words: Words, role: MemberRole) -> Text {
    match role {
        MemberRole::Member => words.t("role-member"),
        MemberRole::Admin => words.t("role-admin"),
    }
}

fn name_of(user: &User) -> String {
    user.name
        .clone()
        .unwrap_or_else(|| user.subject.sub.to_string())
}

async fn user_roles(person: &Person) -> Result<Vec<ShownRole>, Problem> {
    let kind = Some(RoleKind::User);
    Ok(person
        .broker
        .roles(person.caller(), (kind, None), None, ROLES)
        .await?)
}

fn role_names(words: Words, held: &[RoleId], roles: &[ShownRole]) -> Value {
    if held.is_empty() {
        return Value::Nothing(words.t("none"));
    }
    let name = |id: &RoleId| {
        let found = roles.iter().find(|role| role.role.id == *id);
        Value::Data(found.map_or_else(|| id.to_string(), |role| role.role.name.clone()))
    };
    Value::Lines(held.iter().map(name).collect())
}

/// The members and the open invitations.
///
/// # Errors
/// Not his to see, or the database does not answer.
pub async fn list(person: Person, Id(id): Id<OrganizationId>) -> Result<HttpResponse, Problem> {
    overseen(&person, id).await?;
    let words = person.words;
    let place = Place::Organization(id);
    let base = format!("{}/members", place.base());
    let (broker, caller) = (&person.broker, person.caller());
    let mut members = broker
        .members(
            id,
            caller,
            sought(&person.query),
            after(&person.query),
            ROWS + 1,
        )
        .await?;
    let address = Address::new(&base, &person.query, &["q"]);
    let pager = cut(words, &mut members, &address, |(member, user)| {
        (member.created_at, user.id.to_string())
    });
    let roles = user_roles(&person).await?;
    let invitations = broker.invitations(id, caller, None, ROLES).await?;
    let times = person.times();
    let row = |(member, user): &(Membership, User)| Row {
        cells: vec![
            Value::Link {
                href: format!("{base}/{}", user.id),
                text: name_of(user),
            },
            Value::Words(role_words(words, member.role)),
            role_names(words, &member.roles, &roles),
            Value::Html(times.tell(member.created_at)),
        ],
    };
    let mut page = Page::new(words.t("members")).action(
        words.t("invite"),
        format!("{}/invitations/new", place.base()),
    );
    if !members.is_empty() || address.is_narrowed() {
        page = page.block(search(words, &address, &person.query));
    }
    page = if members.is_empty() && address.is_narrowed() {
        page.block(Empty {
            text: words.t("nothing-fits"),
            action: None,
        })
    } else if members.is_empty() {
        page.block(Empty {
            text: words.t("members-none"),
            action: Some(Action {
                label: words.t("invite"),
                href: format!("{}/invitations/new", place.base()),
                tone: Tone::Accent,
            }),
        })
    } else {
        page.block(Table {
            caption: words.t("members"),
            columns: ["name", "member-as", "roles", "since"]
                .map(|key| Column::new(words.t(key)))
                .to_vec(),
            rows: members.iter().map(row).collect(),
        })
        .block(pager)
    };
    if !invitations.is_empty() {
        page = page.block(Block::Heading {
            text: words.t("invitations"),
            id: "invitations",
        });
        for invitation in &invitations {
            page = page.block(invitation_form(&person, place, invitation));
        }
    }
    person.page(place, Topic::Members, page).await
}

fn invitation_form(person: &Person, place: Place, invitation: &SignInLink) -> Form {
    let words = person.words;
    let times = person.times();
    let role = match &invitation.purpose {
        LinkPurpose::Invitation { role, .. } => role_words(words, *role),
        _ => words.t("role-member"),
    };
    let note = invitation.note.clone();
    let who = note.unwrap_or_else(|| words.t("invitation-anybody").to_string());
    let line = words.mix(
        "invitation-line",
        [
            ("who", &super::markup::Markup::strong(&who)),
            ("role", &super::markup::Markup::text(role.as_str())),
            ("until", &times.exact(invitation.expires_at)),
        ],
    );
    Form::new(
        format!("{}/invitations/{}/withdraw", place.base(), invitation.id),
        words.t("invitation-withdraw"),
    )
    .part(Part::Text(line.into()))
    .tone(Tone::Plain)
}

/// One member.
///
/// # Errors
/// Not his to see, or the database does not answer.
pub async fn show(
    person: Person,
    Ids(id, user): Ids<OrganizationId, UserId>,
) -> Result<HttpResponse, Problem> {
    let page = member_page(&person, (id, user), None, &Wrong::new()).await?;
    person
        .page(Place::Organization(id), Topic::Members, page)
        .await
}

fn role_fields(
    words: Words,
    (role, held): (MemberRole, &[RoleId]),
    roles: &[ShownRole],
    wrong: &Wrong,
) -> Vec<Field> {
    let choice = |value: MemberRole, label: Text, help: Text| {
        Choice::words(value.as_str(), label, value == role).help(Some(help.to_string()))
    };
    let role = Field::text("role", words.t("member-as"))
        .kind(Kind::Radio(vec![
            choice(
                MemberRole::Member,
                words.t("role-member"),
                words.t("role-member-help"),
            ),
            choice(
                MemberRole::Admin,
                words.t("role-admin"),
                words.t("role-admin-help"),
            ),
        ]))
        .error(wrong.of("role"));
    let mut fields = vec![role];
    if !roles.is_empty() {
        let boxes = roles
            .iter()
            .map(|shown| {
                let id = shown.role.id;
                Choice::data(id.to_string(), shown.role.name.clone(), held.contains(&id))
                    .help(shown.role.description.clone())
            })
            .collect();
        let field = Field::text("roles", words.t("roles"))
            .kind(Kind::Boxes(boxes))
            .help(words.t("roles-help"))
            .error(wrong.of("roles"));
        fields.push(field);
    }
    fields
}

async fn member_page(
    person: &Person,
    (id, user): (OrganizationId, UserId),
    sent: Option<&Fields>,
    wrong: &Wrong,
) -> Result<Page, Problem> {
    overseen(person, id).await?;
    let words = person.words;
    let place = Place::Organization(id);
    let base = format!("{}/members", place.base());
    let (member, user) = person.broker.member(id, user, person.caller()).await?;
    let roles = user_roles(person).await?;
    let (role, held) = match sent {
        Some(sent) => read_roles(sent),
        None => (member.role, member.roles.clone()),
    };
    let facts = vec![
        Fact {
            name: words.t("person-id"),
            value: Value::Copy {
                text: user.id.to_string(),
                label: words.t("copy"),
            },
        },
        Fact {
            name: words.t("subject"),
            value: Value::Lines(vec![
                Value::Code(user.subject.sub.to_string()),
                Value::Code(user.subject.iss.to_string()),
            ]),
        },
        Fact {
            name: words.t("since"),
            value: Value::Html(person.times().exact(member.created_at)),
        },
    ];
    let mut form = Form::new(format!("{base}/{}", user.id), words.t("save"))
        .hidden("version", member.version.to_string());
    for field in role_fields(words, (role, &held), &roles, wrong) {
        form = form.part(field);
    }
    let action = |label: Text, href: String, tone| Action { label, href, tone };
    let mut page = Page::new(words.t("member"))
        .heading(name_of(&user))
        .narrow()
        .crumb(words.t("members"), base.clone());
    if let Some(wrong) = wrong.of("") {
        page = page.error_if(true).block(Notice::news(Tone::Danger, wrong));
    }
    Ok(page
        .block(Block::Facts(facts))
        .block(Block::Actions(vec![action(
            words.t("member-keys"),
            format!("{}/keys?owner={}", place.base(), user.id),
            Tone::Plain,
        )]))
        .block(form)
        .block(Block::Heading {
            text: words.t("danger"),
            id: "danger",
        })
        .block(Block::Actions(vec![
            action(
                words.t("stop-member-keys"),
                format!("{base}/{}/stop", user.id),
                Tone::Danger,
            ),
            action(
                words.t("member-remove"),
                format!("{base}/{}/remove", user.id),
                Tone::Danger,
            ),
        ])))
}

fn read_roles(fields: &Fields) -> (MemberRole, Vec<RoleId>) {
    let role = fields.text("role").parse().unwrap_or(MemberRole::Member);
    let roles = fields
        .all("roles")
        .filter_map(|id| id.parse().ok())
        .collect();
    (role, roles)
}

/// Changes what a member is.
///
/// # Errors
/// Not his to change, or the database does not answer.
pub async fn change(
    sent: PersonForm,
    Ids(id, user): Ids<OrganizationId, UserId>,
) -> Result<HttpResponse, Problem> {
    let PersonForm { person, fields } = sent;
    overseen(&person, id).await?;
    let (role, roles) = read_roles(&fields);
    let version = fields.version();
    let changed = person
        .broker
        .put_member(
            (id, user),
            NewMembership { role, roles },
            person.caller(),
            person.origin(),
            |now| now == Some(version),
        )
        .await;
    let base = Place::Organization(id).base();
    match changed {
        Ok(_) => Ok(person.done(&format!("{base}/members/{user}"), Done::MemberChanged)),
        Err(error) => {
            let wrong = of_form(person.words, error, &["role", "roles"])?;
            let page = member_page(&person, (id, user), Some(&fields), &wrong).await?;
            let place = (Place::Organization(id), Topic::Members);
            person
                .page_with(StatusCode::UNPROCESSABLE_ENTITY, place, page)
                .await
        }
    }
}

/// Asks whether a member is to go.
///
/// # Errors
/// Not his to remove, or the database does not answer.
pub async fn ask_remove(
    person: Person,
    Ids(id, user): Ids<OrganizationId, UserId>,
) -> Result<HttpResponse, Problem> {
    let words = person.words;
    let shown = overseen(&person, id).await?;
    let (member, user) = person.broker.member(id, user, person.caller()).await?;
    let place = Place::Organization(id);
    let many = crate::broker::keys::ManyKeys {
        organization: Some(id),
        owner: Some(crate::broker::OwnerName::Id(user.id)),
        ..Default::default()
    };
    let count = person
        .broker
        .revoke_keys(many, true, person.caller(), person.origin())
        .await?;
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    let follows = match shown.organization.owner_gone {
        OwnerGone::Pause => words.one("remove-pause", "count", count),
        OwnerGone::HandOver => words.one("remove-hand-over", "count", count),
        OwnerGone::Keep => words.one("remove-keep", "count", count),
    };
    let told = vec![Value::Words(words.t("remove-now")), Value::Words(follows)];
    let base = format!("{}/members/{}", place.base(), user.id);
    let form = Form::new(format!("{base}/remove"), words.t("member-remove"))
        .hidden("version", member.version.to_string())
        .part(Part::Sentences(told))
        .tone(Tone::Danger)
        .cancel(words.t("cancel"), base.clone());
    let page = Page::new(words.t("member-remove"))
        .heading(name_of(&user))
        .narrow()
        .crumb(words.t("members"), format!("{}/members", place.base()))
        .block(form);
    person.page(place, Topic::Members, page).await
}

/// Lets a member go.
///
/// # Errors
/// Not his to remove, changed since, or the database does not answer.
pub async fn remove(
    sent: PersonForm,
    Ids(id, user): Ids<OrganizationId, UserId>,
) -> Result<HttpResponse, Problem> {
    let PersonForm { person, fields } = sent;
    overseen(&person, id).await?;
    let version = fields.version();
    person
        .broker
        .remove_member((id, user), person.caller(), person.origin(), |now| {
            now == version
        })
        .await?;
    let to = format!("{}/members", Place::Organization(id).base());
    Ok(person.done(&to, Done::MemberRemoved))
}

/// Asks whom to invite.
///
/// # Errors
/// Not his to invite to, or the database does not answer.
pub async fn ask_invite(
    person: Person,
    Id(id): Id<OrganizationId>,
) -> Result<HttpResponse, Problem> {
    let page = invite_page(&person, id, None, &Wrong::new()).await?;
    person
        .page(Place::Organization(id), Topic::Members, page)
        .await
}

async fn invite_page(
    person: &Person,
    id: OrganizationId,
    sent: Option<&Fields>,
    wrong: &Wrong,
) -> Result<Page, Problem> {
    overseen(person, id).await?;
    let words = person.words;
    let place = Place::Organization(id);
    let roles = user_roles(person).await?;
    let (role, held) = sent.map_or((MemberRole::Member, Vec::new()), read_roles);
    let note = Field::text("note", words.t("invite-whom"))
        .value(sent.map(|sent| sent.text("note")).unwrap_or_default())
        .help(words.t("invite-whom-help"))
        .error(wrong.of("note"));
    let mut form = Form::new(
        format!("{}/invitations/new", place.base()),
        words.t("invite-make"),
    )
    .part(note);
    for field in role_fields(words, (role, &held), &roles, wrong) {
        form = form.part(field);
    }
    let form = form.cancel(words.t("cancel"), format!("{}/members", place.base()));
    let mut page = Page::new(words.t("invite"))
        .narrow()
        .lead(words.t("invite-lead"))
        .crumb(words.t("members"), format!("{}/members", place.base()));
    if let Some(wrong) = wrong.of("") {
        page = page.error_if(true).block(Notice::news(Tone::Danger, wrong));
    }
    Ok(page.block(form))
}

/// Makes an invitation and shows its link, this once.
///
/// # Errors
/// Not his to invite to, or the database does not answer.
pub async fn invite(sent: PersonForm, Id(id): Id<OrganizationId>) -> Result<HttpResponse, Problem> {
    let PersonForm { person, fields } = sent;
    overseen(&person, id).await?;
    let words = person.words;
    let place = Place::Organization(id);
    let (role, roles) = read_roles(&fields);
    let new = NewLink {
        purpose: LinkPurpose::Invitation {
            organization: id,
            role,
            roles,
        },
        note: fields.given("note").map(str::to_owned),
        loopback: false,
    };
    let made = person
        .broker
        .make_link(new, person.caller(), &person.origin(), None)
        .await;
    let made = match made {
        Ok(made) => made,
        Err(error) => {
            let wrong = of_form(words, error, &["note", "role", "roles"])?;
            let page = invite_page(&person, id, Some(&fields), &wrong).await?;
            return person
                .page_with(
                    StatusCode::UNPROCESSABLE_ENTITY,
                    (place, Topic::Members),
                    page,
                )
                .await;
        }
    };
    let page = link_page(&person, words.t("invite-made"), &made)
        .crumb(words.t("members"), format!("{}/members", place.base()))
        .block(Block::Actions(vec![Action {
            label: words.t("invite-sent"),
            href: format!("{}/members", place.base()),
            tone: Tone::Accent,
        }]));
    person.page(place, Topic::Members, page).await
}

/// A link that was just made, shown this once.
pub fn link_page(person: &Person, title: Text, made: &crate::broker::sign_in::MadeLink) -> Page {
    let words = person.words;
    let until = words.mix(
        "link-until",
        [("when", &person.times().exact(made.link.expires_at))],
    );
    Page::new(title)
        .narrow()
        .block(Notice::news(Tone::Warn, words.t("link-shown-once")))
        .block(Block::Secret {
            label: words.t("link"),
            text: format!(
                "{}/dashboard/links/{}",
                person.dashboard.base,
                made.secret.expose()
            ),
            copy: words.t("copy-link"),
        })
        .block(Block::Paragraph(until.into()))
}

/// Takes an invitation back.
///
/// # Errors
/// Accepted meanwhile, not his to take, or the database does not answer.
pub async fn withdraw(
    sent: PersonForm,
    Ids(id, link): Ids<OrganizationId, LinkId>,
) -> Result<HttpResponse, Problem> {
    let person = sent.person;
    overseen(&person, id).await?;
    person
        .broker
        .withdraw_invitation(id, link, person.caller(), &person.origin())
        .await?;
    let to = format!("{}/members", Place::Organization(id).base());
    Ok(person.done(&to, Done::InvitationWithdrawn))
}
