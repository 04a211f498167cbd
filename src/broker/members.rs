//! Members: who is in an organization, as what, and what becomes of his keys when he leaves.

use std::sync::Arc;

use serde_json::json;

use super::grantor::{Grantor, of_organization};
use super::keys::{follow, narrow};
use super::{Broker, Caller, Error, audit};
use crate::domain::api_key::ApiKey;
use crate::domain::audit::{AuditEvent, Origin};
use crate::domain::id::{OrganizationId, RoleId, UserId};
use crate::domain::organization::OwnerGone;
use crate::domain::role::{Role, RoleKind};
use crate::domain::user::{MemberRole, Membership, User};
use crate::store::idp_operations::OperationKind;
use crate::store::{
    self, Change, Place, Transaction, api_keys, credentials, memberships, organizations, rights,
    roles, ruled_memberships, users,
};

/// What a member is to be.
#[derive(Clone, Debug)]
pub struct NewMembership {
    /// As what.
    pub role: MemberRole,
    /// The user roles that he is to hold there.
    pub roles: Vec<RoleId>,
}

impl Broker {
    /// A page of an organization's members, newest first.
    ///
    /// # Errors
    /// Not the caller's organization.
    pub async fn members(
        &self,
        organization: OrganizationId,
        caller: &Caller,
        text: Option<String>,
        after: Option<Place>,
        limit: usize,
    ) -> Result<Vec<(Membership, User)>, Error> {
        self.organization(organization, caller).await?;
        let page = self.store.read(move |connection| {
            let narrowed = (&organization, text.as_deref());
            let members = memberships::list(connection, narrowed, after.as_ref(), limit)?;
            let ids: Vec<&str> = members
                .iter()
                .map(|member| member.user_id.as_str())
                .collect();
            let people = users::find_all(connection, &ids)?;
            Ok::<_, store::Error>((members, people))
        });
        let (members, people) = page.await?;
        let person = |member: Membership| {
            let user = people.iter().find(|user| user.id == member.user_id)?;
            Some((member, user.clone()))
        };
        Ok(members.into_iter().filter_map(person).collect())
    }

    /// One member.
    ///
    /// # Errors
    /// Not the caller's organization, or no member there.
    pub async fn member(
        &self,
        organization: OrganizationId,
        user: UserId,
        caller: &Caller,
    ) -> Result<(Membership, User), Error> {
        self.organization(organization, caller).await?;
        let found = self.store.read(move |connection| {
            let member = memberships::find(connection, &organization, &user)?;
            Ok::<_, store::Error>((member, users::find(connection, &user)?))
        });
        match found.await? {
            (Some(member), Some(user)) => Ok((member, user)),
            _ => Err(Error::NotFound),
        }
    }

    /// Makes a person a member, or changes what he is there. Whether he was none before is told beside.
    ///
    /// # Errors
    /// No such organization, person or role, changed since, or more than the caller may give.
    pub async fn put_member(
        &self,
        (organization, user): (OrganizationId, UserId),
        wanted: NewMembership,
        caller: &Caller,
        origin: Origin,
        expected: impl Fn(Option<i64>) -> bool,
    ) -> Result<(Membership, User, bool), Error> {
        caller.administers(&organization)?;
        self.organization(organization, caller).await?;
        let known = self
            .store
            .read(move |connection| users::find(connection, &user))
            .await?
            .ok_or(Error::NotFound)?;
        let mut ids = wanted.roles;
        ids.sort_unstable();
        ids.dedup();
        let catalogue = self.catalogue().await?;
        loop {
            let before = self
                .store
                .read(move |connection| memberships::find(connection, &organization, &user))
                .await?;
            if !expected(before.as_ref().map(|before| before.version)) {
                return Err(Error::Stale);
            }
            let now = self.now();
            let after = Membership {
                organization_id: organization,
                user_id: user,
                role: wanted.role,
                roles: ids.clone(),
                version: before.as_ref().map_or(1, |before| before.version),
                created_at: before.as_ref().map_or(now, |before| before.created_at),
                updated_at: now,
            };
            let details = json!({"role": after.role, "roles": after.roles});
            let action = if before.is_some() {
                "member.updated"
            } else {
                "member.added"
            };
            let event = self.event(&origin, action, user.as_str(), Some(organization), details);
            let grantor = caller.grantor("organizations:write", &catalogue, now);
            let (old, written) = (before.clone(), after.clone());
            let put = self.store.write(move |tx| {
                check_given(tx, &grantor, old.as_ref(), &Given::of(&written))?;
                let done = match old {
                    None => memberships::insert(tx, &written).map(|()| true)?,
                    Some(_) => memberships::update(tx, &written)?,
                };
                if done {
                    // Set by hand: no rule of the configuration takes it any more.
                    ruled_memberships::forget(tx, &organization, &user)?;
                    tx.changed(Change::Organization(organization));
                    audit::append(tx, &event)?;
                }
                Ok::<_, Error>(done)
            });
            match put.await {
                Ok(true) => {
                    let version = after.version + i64::from(before.is_some());
                    return Ok((Membership { version, ..after }, known, before.is_none()));
                }
                // Changed, removed or added at the same moment.
                Ok(false) => {}
                Err(Error::Store(error))
                    if error.conflicts_with("memberships.organization_id_user_id") => {}
                Err(Error::Store(error)) if error.conflicts_with(store::FOREIGN_KEY) => {
                    return Err(Error::NotFound);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Takes a person out of an organization. His keys there follow its `owner_gone` in the same moment.
    ///
    /// # Errors
    /// Not the caller's organization, no member there, or changed since.
    pub async fn remove_member(
        &self,
        (organization, user): (OrganizationId, UserId),
        caller: &Caller,
        origin: Origin,
        expected: impl Fn(i64) -> bool,
    ) -> Result<(), Error> {
        caller.administers(&organization)?;
        loop {
            let (member, _) = self.member(organization, user, caller).await?;
            if !expected(member.version) {
                return Err(Error::Stale);
            }
            let (random, now) = (Arc::clone(&self.random), self.now());
            let event = self.event(
                &origin,
                "member.removed",
                user.as_str(),
                Some(organization),
                json!({}),
            );
            let removed = self
                .store
                .write(move |tx| take_out(tx, &member, &event, (&*random, now)));
            if removed.await?.is_some() {
                self.work.notify_one();
                return Ok(());
            }
        }
    }
}

/// Takes a member out, with what becomes of his keys; `None`, and nothing done, if he changed or went since he was read.
pub(super) fn take_out(
    tx: &mut Transaction<'_>,
    member: &Membership,
    event: &AuditEvent,
    (random, now): (&dyn crate::domain::random::Random, jiff::Timestamp),
) -> Result<Option<()>, Error> {
    let (organization, user) = (member.organization_id, member.user_id);
    rights::hold_organization(tx, &organization)?;
    memberships::lock(tx, &organization, &user)?;
    rights::hold_roles_of(tx, &organization, user.as_str())?;
    let kept = rights::of_member(tx, member)?.and(of_organization(tx, &organization)?);
    if !memberships::delete(tx, member)? {
        return Ok(None);
    }
    let found = organizations::find(tx, &organization)?.ok_or(Error::NotFound)?;
    let mut keys = Vec::new();
    for id in api_keys::of_owner(tx, &organization, &user)? {
        api_keys::lock(tx, &id)?;
        let Some(stored) = api_keys::find(tx, &id)? else {
            continue;
        };
        let cut = kept.cut(&stored.key.permissions);
        keys.push(id);
        leave(tx, (stored.key, cut), found.owner_gone, (random, now))?;
    }
    tx.changed(Change::Organization(organization));
    let details = json!({"owner_gone": found.owner_gone, "keys": keys});
    let event = AuditEvent {
        details,
        ..event.clone()
    };
    audit::append(tx, &event)?;
    Ok(Some(()))
}

/// What becomes of one key of a member who leaves; `cut` is what it gave until then.
pub(super) fn leave(
    tx: &mut Transaction<'_>,
    (key, cut): (ApiKey, Vec<crate::domain::id::PermissionId>),
    owner_gone: OwnerGone,
    (random, now): (&dyn crate::domain::random::Random, jiff::Timestamp),
) -> Result<(), Error> {
    let mut after = key;
    match owner_gone {
        OwnerGone::Pause => {
            after.lifecycle.disabled_at = after.lifecycle.disabled_at.or(Some(now));
        }
        OwnerGone::HandOver => {
            after.owner = None;
            let generations = credentials::unended(tx, &after.id)?;
            let users = (&after, generations.as_slice());
            follow(tx, OperationKind::Describe, users, (random, now))?;
            narrow(tx, &mut after, cut, (random, now))?;
        }
        OwnerGone::Keep => narrow(tx, &mut after, cut, (random, now))?,
    }
    // Locked and read in this transaction, so it is as it was.
    api_keys::update(tx, &after, now)?;
    Ok(())
}

/// What a membership gives.
pub(super) struct Given<'a> {
    pub(super) organization: &'a OrganizationId,
    pub(super) role: MemberRole,
    pub(super) roles: &'a [RoleId],
}

impl<'a> Given<'a> {
    pub(super) fn of(membership: &'a Membership) -> Self {
        Self {
            organization: &membership.organization_id,
            role: membership.role,
            roles: &membership.roles,
        }
    }
}

/// Whether the roles exist and are for people, and the caller may give those that are new.
pub(super) fn check_given(
    tx: &mut Transaction<'_>,
    grantor: &Grantor,
    before: Option<&Membership>,
    after: &Given<'_>,
) -> Result<(), Error> {
    for id in after.roles {
        rights::hold_role(tx, id.as_str())?;
    }
    let found = roles::find_all(tx, after.roles)?;
    for (index, id) in after.roles.iter().enumerate() {
        let role = found.iter().find(|role| role.id == *id);
        if role.is_none_or(|role| role.kind != RoleKind::User) {
            return Err(Error::invalid(
                format!("roles[{index}]"),
                "there is no such user role",
            ));
        }
    }
    let had = |id: &RoleId| before.is_some_and(|before| before.roles.contains(id));
    let given: Vec<Role> = found.into_iter().filter(|role| !had(&role.id)).collect();
    let makes_admin = after.role == MemberRole::Admin
        && before.is_none_or(|before| before.role != MemberRole::Admin);
    grantor.check_roles(tx, after.organization, &given, makes_admin)
}
