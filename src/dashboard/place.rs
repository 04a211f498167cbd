//! Where a person is: in an organization, or in the deployment as a whole. From that follows where he can go from there.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;

use super::frame::{Frame, FramePerson, PlaceLink, Places, Section};
use super::language::{Text, Words};
use super::view::Page;
use super::visit::Person;
use crate::broker::Standing;
use crate::domain::id::OrganizationId;
use crate::domain::user::MemberRole;
use crate::http::problem::Problem;

/// How many organizations the switcher shows.
const SHOWN: usize = 20;

/// Where a person is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Nowhere in particular: his own account.
    Nowhere,
    /// In an organization.
    Organization(OrganizationId),
    /// In the deployment as a whole.
    All,
}

/// What a page belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    /// Nothing in the sections.
    None,
    /// Keys.
    Keys,
    /// Machine-to-machine applications.
    Applications,
    /// A key that somebody found.
    Found,
    /// Use.
    Usage,
    /// What needs attention.
    Attention,
    /// Members and invitations.
    Members,
    /// What may be used.
    Permissions,
    /// The audit trail.
    Audit,
    /// What an organization is.
    Settings,
    /// Organizations.
    Organizations,
    /// People.
    People,
    /// API resources.
    Resources,
    /// Roles.
    Roles,
    /// Who may trade whose tokens for what.
    ExchangeRules,
    /// Signing keys and secrets.
    Security,
}

impl Place {
    /// The start of the paths of its pages.
    pub fn base(&self) -> String {
        match self {
            Self::Nowhere | Self::All => "/dashboard/all".to_owned(),
            Self::Organization(id) => format!("/dashboard/organizations/{id}"),
        }
    }

    /// The organization that is meant.
    pub fn organization(&self) -> Option<OrganizationId> {
        match self {
            Self::Organization(id) => Some(*id),
            Self::Nowhere | Self::All => None,
        }
    }
}

impl Person {
    /// Whether he runs the deployment.
    pub fn is_operator(&self) -> bool {
        self.caller().is_operator()
    }

    /// What he is in an organization: an operator is as much as an admin anywhere.
    pub fn role_in(&self, organization: &OrganizationId) -> Option<MemberRole> {
        match &self.caller().standing {
            Standing::Operator => Some(MemberRole::Admin),
            Standing::Person(person) => person
                .memberships
                .iter()
                .find(|membership| membership.organization_id == *organization)
                .map(|membership| membership.role),
            Standing::Key(_) | Standing::Application(_) => None,
        }
    }

    /// Whether he sees all that a place has, rather than what is his own.
    pub fn oversees(&self, place: Place) -> bool {
        match place {
            Place::Organization(id) => self.role_in(&id) == Some(MemberRole::Admin),
            Place::All | Place::Nowhere => self.is_operator(),
        }
    }

    /// Where he is at home: the only organization that he belongs to, the first of several, or the deployment; none for one who waits.
    pub fn home(&self) -> Option<Place> {
        match &self.caller().standing {
            Standing::Operator => Some(Place::All),
            Standing::Person(person) => person
                .memberships
                .first()
                .map(|membership| Place::Organization(membership.organization_id)),
            Standing::Key(_) | Standing::Application(_) => None,
        }
    }

    /// Answers with a page in its place.
    ///
    /// # Errors
    /// The database does not answer, or a defect in a template.
    pub async fn page(
        &self,
        place: Place,
        topic: Topic,
        page: Page,
    ) -> Result<HttpResponse, Problem> {
        self.page_with(StatusCode::OK, (place, topic), page).await
    }

    /// The same, with another status than 200.
    ///
    /// # Errors
    /// As [`Person::page`].
    pub async fn page_with(
        &self,
        status: StatusCode,
        (place, topic): (Place, Topic),
        page: Page,
    ) -> Result<HttpResponse, Problem> {
        let frame = self.frame_in(place, topic).await?;
        self.answer(status, &frame, page)
    }

    async fn frame_in(&self, place: Place, topic: Topic) -> Result<Frame, Problem> {
        let (places, current) = self.places(place).await?;
        let words = self.words;
        let role = match (&self.caller().standing, place) {
            (Standing::Operator, _) => words.t("role-operator"),
            (_, Place::Organization(id)) if self.role_in(&id) == Some(MemberRole::Admin) => {
                words.t("role-admin")
            }
            _ => words.t("role-member"),
        };
        let role = match current {
            Some(name) if !self.is_operator() => words.with(
                "role-in",
                [("role", (&role).into()), ("organization", name.into())],
            ),
            _ => role,
        };
        Ok(Frame {
            person: Some(FramePerson {
                name: self.display_name(),
                role,
            }),
            places,
            sections: self.sections(place, topic),
            ..self.frame()
        })
    }

    /// What he is called.
    pub fn display_name(&self) -> String {
        let user = self.who();
        user.name
            .clone()
            .unwrap_or_else(|| user.subject.sub.to_string())
    }

    async fn places(&self, place: Place) -> Result<(Option<Places>, Option<String>), Problem> {
        let words = self.words;
        let mut all = Vec::new();
        if self.is_operator() {
            all.push(PlaceLink {
                label: words.t("place-all").to_string(),
                href: "/dashboard/all/keys".to_owned(),
                current: place == Place::All,
            });
        }
        let found = self
            .broker
            .organizations(self.caller(), None, None, SHOWN + 1)
            .await?;
        let many = found.len() > SHOWN;
        let link = |id: OrganizationId, name: String| PlaceLink {
            label: name,
            href: format!("{}/keys", Place::Organization(id).base()),
            current: place == Place::Organization(id),
        };
        all.extend(
            found
                .into_iter()
                .take(SHOWN)
                .map(|shown| link(shown.organization.id, shown.organization.name)),
        );
        if let Place::Organization(id) = place
            && all.iter().all(|place| !place.current)
        {
            let shown = self.broker.shown_organization(id, self.caller()).await?;
            all.push(link(id, shown.organization.name));
        }
        let current = all.iter().find(|place| place.current);
        let current = current.map(|place| place.label.clone());
        // One who has one place needs no switch.
        if all.len() < 2 {
            return Ok((None, current));
        }
        let more = (many && self.is_operator()).then(|| Section {
            label: words.t("organizations-all"),
            href: "/dashboard/organizations".to_owned(),
            current: false,
        });
        let places = Places {
            current: current
                .clone()
                .unwrap_or_else(|| words.t("place-choose").to_string()),
            all,
            more,
        };
        Ok((Some(places), current))
    }

    fn sections(&self, place: Place, topic: Topic) -> Vec<Section> {
        let words = self.words;
        let base = place.base();
        let section = |label: Text, path: &str, own: Topic| Section {
            label,
            href: if path.starts_with('/') {
                path.to_owned()
            } else {
                format!("{base}/{path}")
            },
            current: topic == own,
        };
        match place {
            Place::Nowhere => match self.home() {
                Some(home) => self.sections(home, topic),
                None => Vec::new(),
            },
            Place::Organization(_) if self.oversees(place) => vec![
                section(words.t("keys"), "keys", Topic::Keys),
                section(words.t("applications"), "applications", Topic::Applications),
                section(words.t("usage"), "usage", Topic::Usage),
                section(words.t("attention"), "attention", Topic::Attention),
                section(words.t("members"), "members", Topic::Members),
                section(words.t("permissions"), "permissions", Topic::Permissions),
                section(words.t("audit"), "audit", Topic::Audit),
                section(words.t("settings"), "settings", Topic::Settings),
            ],
            Place::Organization(_) => vec![
                section(words.t("my-keys"), "keys", Topic::Keys),
                section(words.t("found"), "/dashboard/found", Topic::Found),
            ],
            Place::All => self.deployment_sections(words, section),
        }
    }

    fn deployment_sections(
        &self,
        words: Words,
        section: impl Fn(Text, &str, Topic) -> Section,
    ) -> Vec<Section> {
        vec![
            section(words.t("keys"), "keys", Topic::Keys),
            section(words.t("applications"), "applications", Topic::Applications),
            section(
                words.t("organizations"),
                "/dashboard/organizations",
                Topic::Organizations,
            ),
            section(words.t("people"), "/dashboard/people", Topic::People),
            section(
                words.t("resources"),
                "/dashboard/resources",
                Topic::Resources,
            ),
            section(words.t("roles"), "/dashboard/roles", Topic::Roles),
            section(
                words.t("exchange-rules"),
                "/dashboard/exchange-rules",
                Topic::ExchangeRules,
            ),
            section(words.t("usage"), "usage", Topic::Usage),
            section(words.t("attention"), "attention", Topic::Attention),
            section(words.t("security"), "/dashboard/security", Topic::Security),
            section(words.t("audit"), "audit", Topic::Audit),
        ]
    }
}
