//! API resources: made, shown, changed and removed. They belong to the deployment.

use serde_json::json;

use super::applications::NAMED;
use super::idempotency::Keep;
use super::permissions::NewPermission;
use super::{Broker, Caller, Conflict, Error, audit, carriage};
use crate::domain::algorithm::SigningAlgorithm;
use crate::domain::allowance::Allowance;
use crate::domain::audit::Origin;
use crate::domain::id::ResourceId;
use crate::domain::permission::Permission;
use crate::domain::resource::{MetadataClaims, Resource, ResourceIdentifier, TokenLifetime};
use crate::domain::scope::ScopeToken;
use crate::store::{self, Change, Place, exchange_rules, permission_users, resources};

/// The scopes of the management API, with what they let do.
pub(super) const MANAGEMENT_SCOPES: [(&str, &str); 18] = [
    ("keys:read", "See keys"),
    ("keys:write", "Create, change, rotate and revoke keys"),
    ("organizations:read", "See organizations and their members"),
    (
        "organizations:write",
        "Change organizations and their members",
    ),
    ("resources:read", "See API resources and their permissions"),
    (
        "resources:write",
        "Change API resources and their permissions",
    ),
    ("roles:read", "See roles"),
    ("roles:write", "Change roles"),
    ("applications:read", "See machine-to-machine applications"),
    (
        "applications:write",
        "Change machine-to-machine applications",
    ),
    ("issuers:read", "See trusted issuers and exchange rules"),
    ("issuers:write", "Change trusted issuers and exchange rules"),
    ("users:read", "See people"),
    ("users:write", "Change people"),
    ("signing_keys:read", "See signing keys"),
    ("signing_keys:write", "Rotate signing keys"),
    ("audit:read", "Read the audit trail"),
    ("tokens:introspect", "Ask about any token"),
];

/// A resource to be made.
#[derive(Clone, Debug)]
pub struct NewResource {
    /// The audience.
    pub identifier: ResourceIdentifier,
    /// What people call it.
    pub name: Option<String>,
    /// How long its tokens live; the deployment's default, if none.
    pub token_lifetime: Option<TokenLifetime>,
    /// How they are signed; the deployment's default, if none.
    pub signing_algorithm: Option<SigningAlgorithm>,
    /// Which metadata of a key they carry.
    pub metadata_claims: MetadataClaims,
    /// Its first permissions.
    pub permissions: Vec<NewPermission>,
}

/// What is to change; `None` leaves it, `Some(None)` clears it.
#[derive(Clone, Debug, Default)]
pub struct ResourceChange {
    /// What people call it.
    pub name: Option<Option<String>>,
    /// How long its tokens live; cleared: the deployment's default.
    pub token_lifetime: Option<Option<TokenLifetime>>,
    /// How they are signed; cleared: the deployment's default.
    pub signing_algorithm: Option<Option<SigningAlgorithm>>,
    /// Which metadata of a key they carry.
    pub metadata_claims: Option<MetadataClaims>,
}

impl Broker {
    /// Makes one with its first permissions, which are returned in the order of their names.
    ///
    /// # Errors
    /// An identifier that is taken; a caller who is bound to an organization.
    pub async fn create_resource(
        &self,
        new: NewResource,
        caller: &Caller,
        origin: Origin,
        keep: Option<Keep<'_, (Resource, Vec<Permission>)>>,
    ) -> Result<(Resource, Vec<Permission>), Error> {
        caller.runs_the_deployment()?;
        let now = self.now();
        let resource = Resource {
            id: ResourceId::generate(&*self.random),
            identifier: new.identifier,
            name: new.name,
            token_lifetime: new
                .token_lifetime
                .unwrap_or(self.settings.default_token_lifetime),
            signing_algorithm: new
                .signing_algorithm
                .unwrap_or(self.settings.default_algorithm),
            metadata_claims: new.metadata_claims,
            reserved: false,
            version: 1,
            created_at: now,
            updated_at: now,
        };
        let mut permissions: Vec<Permission> = Vec::with_capacity(new.permissions.len());
        for (index, permission) in new.permissions.into_iter().enumerate() {
            if permissions
                .iter()
                .any(|other| other.name == permission.name)
            {
                return Err(Error::invalid(
                    format!("permissions[{index}].name"),
                    "is there twice",
                ));
            }
            permissions.push(self.new_permission(resource.id, permission));
        }
        permissions.sort_by(|a, b| a.name.cmp(&b.name));
        let details =
            json!({"identifier": resource.identifier, "permissions": names(&permissions)});
        let event = self.event(
            &origin,
            "resource.created",
            resource.id.as_str(),
            None,
            details,
        );
        self.have_signing_key(resource.signing_algorithm).await?;
        let outcome = (resource, permissions);
        let kept = self.kept(keep, &outcome, None)?;
        let (written, carriers) = (outcome.clone(), self.carriers());
        self.store
            .write(move |tx| {
                resources::insert(tx, &written.0)?;
                for permission in &written.1 {
                    resources::insert_permission(tx, permission)?;
                }
                carriage::want(tx, &carriers, &written.0.identifier, now)?;
                if let Some(kept) = &kept {
                    kept.write(tx)?;
                }
                tx.changed(Change::Catalogue);
                audit::append(tx, &event)
            })
            .await
            .map_err(taken)?;
        self.work.notify_one();
        Ok(outcome)
    }

    /// One of them.
    ///
    /// # Errors
    /// Not there.
    pub async fn resource(&self, id: ResourceId) -> Result<Resource, Error> {
        self.store
            .read(move |connection| resources::find(connection, &id))
            .await?
            .ok_or(Error::NotFound)
    }

    /// One of them with its permissions, in the order of their names: all, or those that the caller's organization may use.
    ///
    /// # Errors
    /// Not there, or nothing of it is for the caller's organization.
    pub async fn resource_with_permissions(
        &self,
        id: ResourceId,
        caller: &Caller,
    ) -> Result<(Resource, Vec<Permission>), Error> {
        let allowance = self.allowance_of(caller, "resources:read").await?;
        let found = self.store.read(move |connection| {
            // In this order: with a change in between, the version is older than what is shown with it, and a change that is
            // bound to it is refused.
            let resource = resources::find(connection, &id)?;
            Ok::<_, store::Error>((resource, permissions_by_name(connection, &id)?))
        });
        let (resource, mut permissions) = found.await?;
        permissions.retain(|permission| allowance.holds(&permission.id));
        let hidden = permissions.is_empty() && allowance != Allowance::Everything;
        let resource = resource.filter(|_| !hidden);
        Ok((resource.ok_or(Error::NotFound)?, permissions))
    }

    /// A page of them, newest first; of those that the caller's organization may use something of.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn resources(
        &self,
        caller: &Caller,
        text: Option<String>,
        after: Option<Place>,
        limit: usize,
    ) -> Result<Vec<Resource>, Error> {
        let within = self.allowance_of(caller, "resources:read").await?;
        let page = move |connection: &mut store::Connection| {
            let narrowed = (&within, text.as_deref());
            resources::list(connection, narrowed, after.as_ref(), limit)
        };
        Ok(self.store.read(page).await?)
    }

    /// Changes one, if it still has the version that the caller saw, and returns it with its permissions.
    ///
    /// # Errors
    /// Not there, changed since, or reserved.
    pub async fn update_resource(
        &self,
        id: ResourceId,
        change: ResourceChange,
        caller: &Caller,
        origin: Origin,
        expected: impl Fn(i64) -> bool,
    ) -> Result<(Resource, Vec<Permission>), Error> {
        caller.runs_the_deployment()?;
        // Another change may come between reading and writing. Whoever named no version meant what is there then.
        loop {
            let before = self.changeable(id, &expected).await?;
            let after = self.resource_after(before, change.clone());
            self.have_signing_key(after.signing_algorithm).await?;
            let details = json!({
                "name": after.name, "token_lifetime": after.token_lifetime, "signing_alg": after.signing_algorithm,
                "metadata_claims": after.metadata_claims,
            });
            let event = self.event(&origin, "resource.updated", id.as_str(), None, details);
            let (written, carriers) = (after.clone(), self.carriers());
            let updated = self.store.write(move |tx| {
                if !resources::update(tx, &written)? {
                    return Ok(None);
                }
                carriage::want(tx, &carriers, &written.identifier, event.at)?;
                tx.changed(Change::Catalogue);
                audit::append(tx, &event)?;
                Ok::<_, store::Error>(Some(permissions_by_name(tx, &id)?))
            });
            if let Some(permissions) = updated.await? {
                self.work.notify_one();
                let after = Resource {
                    version: after.version + 1,
                    ..after
                };
                return Ok((after, permissions));
            }
        }
    }

    /// Removes one with its permissions; whoever uses them loses them at once, if that is asked for.
    ///
    /// # Errors
    /// Not there, changed since, reserved, or in use; by whom.
    pub async fn delete_resource(
        &self,
        id: ResourceId,
        cascade: bool,
        caller: &Caller,
        origin: Origin,
        expected: impl Fn(i64) -> bool,
    ) -> Result<(), Error> {
        caller.runs_the_deployment()?;
        loop {
            let found = self.changeable(id, &expected).await?;
            let details = json!({"identifier": found.identifier, "cascade": cascade});
            let event = self.event(&origin, "resource.deleted", id.as_str(), None, details);
            let (now, carriers) = (self.now(), self.carriers());
            let deleted = self.store.write(move |tx| {
                let there = resources::find(tx, &id)?;
                if there.is_none_or(|there| there.version != found.version) {
                    return Ok(false);
                }
                let users = permission_users::of_resource(tx, &id, NAMED)?;
                if !users.is_empty() && !cascade {
                    return Err(Conflict::ResourceInUse(users).into());
                }
                exchange_rules::delete_of_resource(tx, &id, now)?;
                if !resources::delete(tx, &found)? {
                    // Nothing of it is done, also what went with it.
                    return Err(Error::Stale);
                }
                carriage::want(tx, &carriers, &found.identifier, event.at)?;
                // The exchange rules go with the catalogue.
                tx.changed(Change::Catalogue);
                audit::append(tx, &event)?;
                Ok::<_, Error>(true)
            });
            match deleted.await {
                Ok(true) => {
                    self.work.notify_one();
                    return Ok(());
                }
                Ok(false) | Err(Error::Stale) => {}
                // A rule was made for it at the same moment.
                Err(Error::Store(error)) if error.conflicts_with(store::FOREIGN_KEY) => {
                    let users = self
                        .store
                        .read(move |connection| {
                            permission_users::of_resource(connection, &id, NAMED)
                        })
                        .await?;
                    return Err(Conflict::ResourceInUse(users).into());
                }
                Err(error) => return Err(error),
            }
        }
    }

    pub(super) async fn changeable(
        &self,
        id: ResourceId,
        expected: impl Fn(i64) -> bool,
    ) -> Result<Resource, Error> {
        let found = self.resource(id).await?;
        if found.reserved {
            return Err(Conflict::ResourceReserved.into());
        }
        if expected(found.version) {
            Ok(found)
        } else {
            Err(Error::Stale)
        }
    }

    fn resource_after(&self, before: Resource, change: ResourceChange) -> Resource {
        let settings = &self.settings;
        let lifetime = change
            .token_lifetime
            .map(|lifetime| lifetime.unwrap_or(settings.default_token_lifetime));
        let algorithm = change
            .signing_algorithm
            .map(|algorithm| algorithm.unwrap_or(settings.default_algorithm));
        Resource {
            name: change.name.unwrap_or(before.name),
            token_lifetime: lifetime.unwrap_or(before.token_lifetime),
            signing_algorithm: algorithm.unwrap_or(before.signing_algorithm),
            metadata_claims: change.metadata_claims.unwrap_or(before.metadata_claims),
            updated_at: self.now(),
            ..before
        }
    }
}

fn names(permissions: &[Permission]) -> Vec<&ScopeToken> {
    permissions
        .iter()
        .map(|permission| &permission.name)
        .collect()
}

fn permissions_by_name(
    connection: &mut store::Connection,
    id: &ResourceId,
) -> Result<Vec<Permission>, store::Error> {
    let mut permissions =
        resources::permissions(connection, (id, &Allowance::Everything), None, usize::MAX)?;
    permissions.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(permissions)
}

fn taken(error: store::Error) -> Error {
    if error.conflicts_with("resources.identifier") {
        Conflict::IdentifierTaken.into()
    } else {
        error.into()
    }
}
