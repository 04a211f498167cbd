//! An application is changed. Narrowing is always allowed; what could not be done before takes a caller who holds it himself.

use serde_json::json;

use super::roles::machine_roles;
use super::{ShownApplication, check_keys, sorted};
use crate::broker::keys::gone;
use crate::broker::{Broker, Caller, Error, audit};
use crate::domain::application::{Application, TokenEndpointAuthMethod};
use crate::domain::audit::{AuditEvent, Origin};
use crate::domain::id::{ApplicationId, ResourceId};
use crate::domain::limits::AllowedCidrs;
use crate::domain::resource::ResourceIdentifier;
use crate::store::{self, Change, applications};

/// What is to change; `None` leaves it, `Some(None)` clears it.
#[derive(Clone, Debug, Default)]
pub struct ApplicationChange {
    /// What people call it.
    pub name: Option<String>,
    /// What it is for.
    pub description: Option<Option<String>>,
    /// What it serves.
    pub resources: Option<Vec<ResourceId>>,
    /// The resource meant when a request names none.
    pub default_resource: Option<Option<ResourceIdentifier>>,
    /// How it proves who it is.
    pub auth_method: Option<Option<TokenEndpointAuthMethod>>,
    /// Its public keys.
    pub jwks: Option<Option<String>>,
    /// Whether its assertions may name the token endpoint.
    pub legacy_assertion_audience: Option<bool>,
    /// From where it may come.
    pub allowed_cidrs: Option<Option<AllowedCidrs>>,
    /// Who may act for it.
    pub may_act: Option<Option<ApplicationId>>,
    /// Whether it is paused.
    pub disabled: Option<bool>,
}

impl Broker {
    /// Changes one, if it still has the version that the caller saw. It counts from the moment this returns.
    ///
    /// # Errors
    /// Not there, changed since, a value that cannot be, or a loosening beyond what the caller holds.
    pub async fn update_application(
        &self,
        id: ApplicationId,
        change: ApplicationChange,
        caller: &Caller,
        origin: Origin,
        expected: impl Fn(i64) -> bool,
    ) -> Result<ShownApplication, Error> {
        if change.resources.is_some() {
            // Whether he sees it comes first: what is not his is not there.
            self.application(id, caller).await?;
            caller.runs_the_deployment()?;
        }
        // Another change may come between reading and writing. Whoever named no version meant what is there then.
        loop {
            let before = self.changeable_application(id, caller, &expected).await?;
            let after = self
                .application_after(before.clone(), change.clone())
                .await?;
            check_keys(&after)?;
            self.check_references(&after).await?;
            let catalogue = self.catalogue().await?;
            let now = self.now();
            let grantor = is_looser(&before, &after)
                .then(|| caller.grantor("applications:write", &catalogue, now));
            let details = json!({
                "changed": change.fields(), "disabled": after.disabled_at.is_some(), "may_act": after.may_act,
                "token_endpoint_auth_method": after.auth_method,
            });
            let event = self.event(
                &origin,
                "application.updated",
                id.as_str(),
                after.organization_id,
                details,
            );
            let written = after.clone();
            let updated = self.store.write(move |tx| {
                if let Some(grantor) = grantor {
                    let all = machine_roles(tx, &written.roles)?;
                    grantor.check_application(tx, &written, &all, Some(&written.id))?;
                }
                if !written.uses_secrets() {
                    applications::secrets::delete_all(tx, &written.id)?;
                }
                write(tx, &written, &event)
            });
            if updated.await.map_err(|error| match error {
                Error::Store(error) => gone(error, "resources"),
                error => error,
            })? {
                return self.application(id, caller).await;
            }
        }
    }

    async fn application_after(
        &self,
        before: Application,
        change: ApplicationChange,
    ) -> Result<Application, Error> {
        let default_resource = match change.default_resource {
            None => before.default_resource,
            Some(named) => self.default_resource(named).await?,
        };
        let now = self.now();
        Ok(Application {
            name: change.name.unwrap_or(before.name),
            description: change.description.unwrap_or(before.description),
            resources: change.resources.map_or(before.resources, sorted),
            default_resource,
            auth_method: change.auth_method.unwrap_or(before.auth_method),
            jwks: change.jwks.unwrap_or(before.jwks),
            legacy_assertion_audience: change
                .legacy_assertion_audience
                .unwrap_or(before.legacy_assertion_audience),
            allowed_cidrs: change.allowed_cidrs.unwrap_or(before.allowed_cidrs),
            may_act: change.may_act.unwrap_or(before.may_act),
            disabled_at: match change.disabled {
                None => before.disabled_at,
                Some(true) => before.disabled_at.or(Some(now)),
                Some(false) => None,
            },
            updated_at: now,
            ..before
        })
    }
}

impl ApplicationChange {
    /// Names of what is to change, for the audit row.
    fn fields(&self) -> Vec<&'static str> {
        [
            ("name", self.name.is_some()),
            ("description", self.description.is_some()),
            ("resources", self.resources.is_some()),
            ("default_resource", self.default_resource.is_some()),
            ("token_endpoint_auth_method", self.auth_method.is_some()),
            ("jwks", self.jwks.is_some()),
            (
                "legacy_assertion_audience",
                self.legacy_assertion_audience.is_some(),
            ),
            ("allowed_cidrs", self.allowed_cidrs.is_some()),
            ("may_act", self.may_act.is_some()),
            ("disabled", self.disabled.is_some()),
        ]
        .into_iter()
        .filter_map(|(name, changes)| changes.then_some(name))
        .collect()
    }
}

/// Writes a changed one; `false`, and nothing written, if it is not as it was before any more.
pub(super) fn write(
    tx: &mut store::Transaction<'_>,
    changed: &Application,
    event: &AuditEvent,
) -> Result<bool, Error> {
    if !applications::update(tx, changed)? {
        return Ok(false);
    }
    tx.changed(Change::Application(changed.id));
    audit::append(tx, event)?;
    Ok(true)
}

/// Whether it, or whoever holds its credentials, may now do what could not be done before.
fn is_looser(before: &Application, after: &Application) -> bool {
    let enabled = before.disabled_at.is_some() && after.disabled_at.is_none();
    let wider = match (&before.allowed_cidrs, &after.allowed_cidrs) {
        (None, _) => false,
        (Some(_), None) => true,
        (Some(before), Some(after)) => !after.is_within(before),
    };
    let others_may_act = before.may_act.is_some() && before.may_act != after.may_act;
    let other_proof = before.auth_method != after.auth_method
        || before.jwks != after.jwks
        || (after.legacy_assertion_audience && !before.legacy_assertion_audience);
    enabled || wider || others_may_act || other_proof
}
