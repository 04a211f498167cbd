//! Memberships by rules: what the provider says of a person at each sign-in makes him a member, changes what he is, and ends it.
//!
//! A rule touches only what a rule gave. What an admin set by hand stays as he set it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::broker::members::take_out;
use crate::broker::{Broker, Error, audit};
use crate::domain::audit::Origin;
use crate::domain::id::{OrganizationId, RoleId, UserId};
use crate::domain::role::RoleKind;
use crate::domain::sign_in::MembershipRule;
use crate::domain::user::{MemberRole, Membership};
use crate::store::{
    self, Change, Connection, memberships, organizations, roles, ruled_memberships,
};

/// What rules make of a person in one organization.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Wanted {
    role: MemberRole,
    roles: Vec<RoleId>,
}

impl Broker {
    /// Brings the memberships that rules give into line with what the provider says of a person now.
    pub(super) async fn apply_membership_rules(
        &self,
        user: UserId,
        claims: &Map<String, Value>,
        origin: &Origin,
    ) -> Result<(), Error> {
        let fitting: Vec<MembershipRule> = self
            .settings
            .sign_in
            .memberships
            .iter()
            .filter(|rule| fits(rule, claims))
            .cloned()
            .collect();
        let found = self.store.read(move |connection| {
            let wanted = wanted(connection, &fitting)?;
            let ruled = ruled_memberships::of_user(connection, &user)?;
            Ok::<_, store::Error>((wanted, ruled, memberships::of_user(connection, &user)?))
        });
        let (wanted, ruled, held) = found.await?;
        let origin = Origin {
            actor: "sign-in".to_owned(),
            ..origin.clone()
        };
        for membership in &held {
            let organization = membership.organization_id;
            if ruled.contains(&organization) && !wanted.contains_key(&organization) {
                self.end_ruled(membership.clone(), &origin).await?;
            }
        }
        for (organization, wanted) in wanted {
            let before = held
                .iter()
                .find(|membership| membership.organization_id == organization);
            if before.is_some() && !ruled.contains(&organization) {
                continue;
            }
            let as_wanted =
                |before: &&Membership| before.role == wanted.role && before.roles == wanted.roles;
            if before.filter(as_wanted).is_none() {
                self.give_ruled((organization, user), wanted, before.cloned(), &origin)
                    .await?;
            }
        }
        Ok(())
    }

    async fn end_ruled(&self, membership: Membership, origin: &Origin) -> Result<(), Error> {
        let (organization, user) = (membership.organization_id, membership.user_id);
        let event = self.event(
            origin,
            "member.removed",
            user.as_str(),
            Some(organization),
            json!({}),
        );
        let (random, now) = (Arc::clone(&self.random), self.now());
        // Changed or gone meanwhile: the next sign-in looks again.
        self.store
            .write(move |tx| take_out(tx, &membership, &event, (&*random, now)))
            .await?;
        self.work.notify_one();
        Ok(())
    }

    async fn give_ruled(
        &self,
        (organization, user): (OrganizationId, UserId),
        wanted: Wanted,
        before: Option<Membership>,
        origin: &Origin,
    ) -> Result<(), Error> {
        let now = self.now();
        let details = json!({"role": wanted.role, "roles": wanted.roles, "by": "a rule of the configuration"});
        let action = if before.is_some() {
            "member.updated"
        } else {
            "member.added"
        };
        let event = self.event(origin, action, user.as_str(), Some(organization), details);
        let after = Membership {
            organization_id: organization,
            user_id: user,
            role: wanted.role,
            roles: wanted.roles,
            version: before.as_ref().map_or(1, |before| before.version),
            created_at: before.as_ref().map_or(now, |before| before.created_at),
            updated_at: now,
        };
        let given = self.store.write(move |tx| {
            let done = match before {
                None => memberships::insert(tx, &after).map(|()| true)?,
                Some(_) => memberships::update(tx, &after)?,
            };
            if done {
                ruled_memberships::note(tx, &organization, &user)?;
                tx.changed(Change::Organization(organization));
                audit::append(tx, &event)?;
            }
            Ok::<_, store::Error>(())
        });
        match given.await {
            // Made a member, or the organization or a role removed, at the same moment: the next sign-in looks again.
            Err(store::Error::Conflict { .. }) => Ok(()),
            given => Ok(given?),
        }
    }
}

/// What fitting rules give, organization by organization. A rule that names what is not there gives nothing, and says so in the log.
fn wanted(
    connection: &mut Connection,
    rules: &[MembershipRule],
) -> Result<BTreeMap<OrganizationId, Wanted>, store::Error> {
    let mut all: BTreeMap<OrganizationId, Wanted> = BTreeMap::new();
    for rule in rules {
        let organization = organizations::find_named(connection, &rule.organization)?;
        let Some(organization) = organization else {
            tracing::warn!(
                organization = rule.organization,
                "a rule in sign_in.memberships names an organization that is not there"
            );
            continue;
        };
        let wanted = all.entry(organization).or_insert(Wanted {
            role: MemberRole::Member,
            roles: Vec::new(),
        });
        if rule.role == MemberRole::Admin {
            wanted.role = MemberRole::Admin;
        }
        for name in &rule.roles {
            match roles::find_named(connection, name)? {
                Some(role) if role.kind == RoleKind::User => wanted.roles.push(role.id),
                _ => tracing::warn!(
                    role = name,
                    "a rule in sign_in.memberships names a user role that is not there"
                ),
            }
        }
        wanted.roles.sort_unstable();
        wanted.roles.dedup();
    }
    Ok(all)
}

/// Whether the claims of a person are what a rule wants.
fn fits(rule: &MembershipRule, claims: &Map<String, Value>) -> bool {
    // A claim whose name holds dots is found by its whole name first, as `https://example.com/groups` must be.
    let found = claims.get(&rule.claim).or_else(|| {
        let mut parts = rule.claim.split('.');
        let first = claims.get(parts.next()?)?;
        parts.try_fold(first, |value, part| value.get(part))
    });
    let is = |value: &Value| match value {
        Value::String(text) => *text == rule.value,
        Value::Bool(is) => rule.value == if *is { "true" } else { "false" },
        Value::Number(number) => number.to_string() == rule.value,
        _ => false,
    };
    match found {
        Some(Value::Array(several)) => several.iter().any(is),
        Some(one) => is(one),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fitting(claim: &str, value: &str, claims: Value) -> bool {
        let rule = MembershipRule {
            claim: claim.to_owned(),
            value: value.to_owned(),
            organization: "acme".to_owned(),
            role: MemberRole::Member,
            roles: Vec::new(),
        };
        fits(&rule, claims.as_object().unwrap())
    }

    #[test]
    fn a_claim_is_one_value_or_holds_it() {
        assert!(fitting(
            "department",
            "billing",
            json!({"department": "billing"})
        ));
        assert!(fitting("groups", "acme", json!({"groups": ["x", "acme"]})));
        assert!(fitting(
            "email_verified",
            "true",
            json!({"email_verified": true})
        ));
        assert!(fitting(
            "realm_access.roles",
            "clerk",
            json!({"realm_access": {"roles": ["clerk"]}})
        ));
        assert!(fitting(
            "https://example.com/groups",
            "acme",
            json!({"https://example.com/groups": ["acme"]})
        ));
    }

    #[test]
    fn nothing_else_fits() {
        for claims in [
            json!({}),
            json!({"groups": "acme-admins"}),
            json!({"groups": ["ACME"]}),
            json!({"groups": {"acme": true}}),
            json!({"groups": [["acme"]]}),
            json!({"groups": null}),
        ] {
            assert!(!fitting("groups", "acme", claims.clone()), "{claims}");
        }
    }
}
