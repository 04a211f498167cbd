//! Links that let somebody in once: made by who may, looked at without being used, taken back.

use serde_json::json;

use super::{SignInFailure, Visitor, later};
use crate::broker::idempotency::Keep;
use crate::broker::members::{Given, check_given};
use crate::broker::{Broker, Caller, Error, audit};
use crate::domain::audit::Origin;
use crate::domain::browser_secret::{BrowserSecret, SecretKind};
use crate::domain::id::{LinkId, OrganizationId, UserId};
use crate::domain::sign_in::{LinkPurpose, SignInLink};
use crate::domain::text;
use crate::domain::user::Membership;
use crate::store::{self, Place, organizations, people, sign_in_links};

/// A link to be made.
#[derive(Clone, Debug)]
pub struct NewLink {
    /// What it is for.
    pub purpose: LinkPurpose,
    /// For whom, in words.
    pub note: Option<String>,
    /// Whether it can be used on the server's own machine alone.
    pub loopback: bool,
}

/// A link just made: shown with its secret this once.
pub struct MadeLink {
    /// What is on record.
    pub link: SignInLink,
    /// What is in its address.
    pub secret: BrowserSecret,
}

/// A link as whoever holds it sees it.
pub struct SeenLink {
    /// What is on record.
    pub link: SignInLink,
    /// The name of the organization that it leads into.
    pub organization: Option<String>,
    /// Who is to choose a new password: the name by which he signs in.
    pub login_name: Option<String>,
}

impl Broker {
    /// Makes a link.
    ///
    /// # Errors
    /// Not the caller's to make, or what it is about is not there.
    pub async fn make_link(
        &self,
        new: NewLink,
        caller: &Caller,
        origin: &Origin,
        keep: Option<Keep<'_, MadeLink>>,
    ) -> Result<MadeLink, Error> {
        match &new.purpose {
            LinkPurpose::Operator => self.needs_every_right(caller)?,
            LinkPurpose::Password { user } => {
                caller.runs_the_deployment()?;
                self.needs_every_right(caller)?;
                let user = *user;
                let found = self
                    .store
                    .read(move |connection| people::find(connection, &user))
                    .await?;
                if found.is_none_or(|person| person.login_name.is_none()) {
                    return Err(Error::NotFound);
                }
            }
            LinkPurpose::Invitation { organization, .. } => {
                caller.administers(organization)?;
                self.organization(*organization, caller).await?;
            }
        }
        self.write_link(new, Some(caller), origin, keep).await
    }

    /// The link that the server itself prints while nobody runs the deployment.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn first_operator_link(&self) -> Result<Option<MadeLink>, Error> {
        if !self.settings.sign_in.local_accounts || !self.settings.operators.is_empty() {
            return Ok(None);
        }
        if self.store.read(people::any_operator).await? {
            return Ok(None);
        }
        let new = NewLink {
            purpose: LinkPurpose::Operator,
            note: None,
            loopback: true,
        };
        self.write_link(new, None, &Origin::server(), None)
            .await
            .map(Some)
    }

    async fn write_link(
        &self,
        new: NewLink,
        caller: Option<&Caller>,
        origin: &Origin,
        keep: Option<Keep<'_, MadeLink>>,
    ) -> Result<MadeLink, Error> {
        let now = self.now();
        let secret = BrowserSecret::generate(SecretKind::Link, &*self.random);
        let note = match new.note.as_deref().map(str::trim) {
            None | Some("") => None,
            Some(note) => Some(text::name(note).map_err(|error| Error::invalid("note", error))?),
        };
        let link = SignInLink {
            id: LinkId::generate(&*self.random),
            expires_at: later(now, new.purpose.lifetime().unsigned_abs()),
            purpose: new.purpose,
            note,
            loopback: new.loopback,
            created_by: origin.actor.clone(),
            created_at: now,
            used_at: None,
        };
        let organization = match &link.purpose {
            LinkPurpose::Invitation { organization, .. } => Some(*organization),
            _ => None,
        };
        let details = json!({"purpose": link.purpose.as_str(), "expires_at": link.expires_at, "for": link.note});
        let event = self.event(
            origin,
            "sign_in_link.created",
            link.id.as_str(),
            organization,
            details,
        );
        let catalogue = self.catalogue().await?;
        let grantor = caller.map(|caller| caller.grantor("organizations:write", &catalogue, now));
        let made = MadeLink { link, secret };
        let kept = self.kept(keep, &made, None)?;
        let (written, digest) = (made.link.clone(), made.secret.digest());
        let done = self.store.write(move |tx| {
            match &written.purpose {
                LinkPurpose::Invitation {
                    organization,
                    role,
                    roles,
                } => {
                    let given = Given {
                        organization,
                        role: *role,
                        roles,
                    };
                    if let Some(grantor) = &grantor {
                        check_given(tx, grantor, None, &given)?;
                    }
                }
                LinkPurpose::Password { user } => {
                    sign_in_links::delete_open_of(tx, "password", Some(user))?;
                }
                LinkPurpose::Operator => {}
            }
            sign_in_links::insert(tx, &written, &digest)?;
            if let Some(kept) = &kept {
                kept.write(tx)?;
            }
            audit::append(tx, &event)?;
            Ok::<_, Error>(())
        });
        done.await?;
        Ok(made)
    }

    /// Only who may do everything makes somebody who may do everything.
    pub(super) fn needs_every_right(&self, caller: &Caller) -> Result<(), Error> {
        let every = crate::broker::management::every_scope();
        if caller.is_operator() && every.is_subset(&caller.scopes) {
            return Ok(());
        }
        Err(Error::Forbidden("it takes an operator with every right"))
    }

    /// What a link is for, without using it.
    ///
    /// # Errors
    /// No link that can be used, or not from there.
    pub async fn look_at_link(
        &self,
        secret: &BrowserSecret,
        visitor: &Visitor,
    ) -> Result<SeenLink, SignInFailure> {
        self.take_try(visitor.origin.address)?;
        let (digest, now) = (secret.digest(), self.now());
        let found = self.store.read(move |connection| {
            let Some(link) = sign_in_links::find_by_digest(connection, &digest)? else {
                return Ok(None);
            };
            let (mut organization, mut login_name) = (None, None);
            match &link.purpose {
                LinkPurpose::Operator => {}
                LinkPurpose::Invitation {
                    organization: id, ..
                } => {
                    organization = organizations::find(connection, id)?.map(|found| found.name);
                }
                LinkPurpose::Password { user } => {
                    let person = people::find(connection, user)?;
                    login_name = person.and_then(|person| person.login_name);
                }
            }
            Ok::<_, store::Error>(Some(SeenLink {
                link,
                organization,
                login_name,
            }))
        });
        let seen = found.await?.filter(|seen| seen.link.is_open(now));
        let seen = seen.ok_or(SignInFailure::NoSuchLink)?;
        let from_here = visitor
            .origin
            .address
            .is_some_and(|address| address.is_loopback());
        if seen.link.loopback && !from_here {
            return Err(SignInFailure::OnlyFromHere);
        }
        Ok(seen)
    }

    /// A page of an organization's invitations that can still be accepted, newest first.
    ///
    /// # Errors
    /// Not the caller's to see.
    pub async fn invitations(
        &self,
        organization: OrganizationId,
        caller: &Caller,
        after: Option<Place>,
        limit: usize,
    ) -> Result<Vec<SignInLink>, Error> {
        caller.administers(&organization)?;
        let now = self.now();
        let page = self.store.read(move |connection| {
            sign_in_links::invitations(connection, &organization, now, after.as_ref(), limit)
        });
        Ok(page.await?)
    }

    /// Takes an invitation back.
    ///
    /// # Errors
    /// Not there, accepted meanwhile, or not the caller's to take.
    pub async fn withdraw_invitation(
        &self,
        organization: OrganizationId,
        id: LinkId,
        caller: &Caller,
        origin: &Origin,
    ) -> Result<(), Error> {
        caller.administers(&organization)?;
        let event = self.event(
            origin,
            "sign_in_link.withdrawn",
            id.as_str(),
            Some(organization),
            json!({}),
        );
        let withdrawn = self.store.write(move |tx| {
            let found = sign_in_links::find(tx, &id)?;
            let its = |link: &SignInLink| match &link.purpose {
                LinkPurpose::Invitation {
                    organization: own, ..
                } => *own == organization,
                _ => false,
            };
            if !found.as_ref().is_some_and(its) || !sign_in_links::delete_open(tx, &id)? {
                return Err(Error::NotFound);
            }
            Ok(audit::append(tx, &event)?)
        });
        withdrawn.await
    }
}

/// What an invitation makes of somebody.
pub(super) fn membership(
    link: &SignInLink,
    user: UserId,
    now: jiff::Timestamp,
) -> Option<Membership> {
    let LinkPurpose::Invitation {
        organization,
        role,
        roles,
    } = &link.purpose
    else {
        return None;
    };
    let mut roles = roles.clone();
    roles.sort_unstable();
    roles.dedup();
    Some(Membership {
        organization_id: *organization,
        user_id: user,
        role: *role,
        roles,
        version: 1,
        created_at: now,
        updated_at: now,
    })
}
