//! What a presented key is judged by, in one indexed read: its generation, its key, its organization, its owner and its permissions.
//!
//! One statement, so that all of it is of one moment: a ceiling that was widened later is never met by permissions from before a
//! narrowing.

use diesel::prelude::*;

use super::connection::each;
use super::owner_states::OwnerRights;
use super::schema::{
    api_key_permissions, api_keys, credentials, membership_roles, memberships,
    organization_permissions, organizations, owner_states, role_permissions, users,
};
use super::{Connection, Error, Timestamp};
use crate::domain::credential::ProviderRights;
use crate::domain::id::{
    ApplicationId, CredentialId, KeyId, OrganizationId, PermissionId, ResourceId,
};
use crate::domain::lifecycle::{CredentialState, KeyLifecycle};
use crate::domain::limits::{AllowedCidrs, RateLimit};
use crate::domain::metadata::Metadata;
use crate::domain::password::PasswordDigest;
use crate::domain::plaintext_key::UserName;
use crate::domain::provider_name::ProviderName;
use crate::domain::subject::Subject;
use crate::domain::user::MemberRole;

/// A generation with all that decides what it may do.
#[derive(Clone, Debug)]
pub struct Presented {
    /// The generation.
    pub credential_id: CredentialId,
    /// What its password must answer to.
    pub password_digest: PasswordDigest,
    /// Which digest secret made the digest.
    pub digest_generation: i32,
    /// Which provider secret made its password at the provider.
    pub provider_generation: i32,
    /// The generation's state.
    pub state: CredentialState,
    /// What the provider granted when it was last asked.
    pub provider_rights: Option<ProviderRights>,
    /// The key.
    pub key_id: KeyId,
    /// Its tenant.
    pub organization_id: OrganizationId,
    /// Whether the tenant's keys are paused.
    pub organization_disabled: bool,
    /// Where its user is.
    pub provider: ProviderName,
    /// Whose it is.
    pub owner: Option<Subject>,
    /// Its metadata.
    pub metadata: Metadata,
    /// Its moments.
    pub lifecycle: KeyLifecycle,
    /// From where it may come.
    pub allowed_cidrs: Option<AllowedCidrs>,
    /// How often.
    pub rate_limit: Option<RateLimit>,
    /// The resource meant when none is named.
    pub default_resource: Option<ResourceId>,
    /// Who may act for it.
    pub may_act: Option<ApplicationId>,
    /// What it may do, sorted: what it was given, as far as its organization may use it and, where its owner is a member, he may do it.
    pub permissions: Vec<PermissionId>,
    /// What it was given, sorted, whatever of it counts.
    pub recorded_permissions: Vec<PermissionId>,
    /// What the provider made for its user to sign in by, sealed.
    pub provider_credential: Option<Vec<u8>>,
    /// What its owner may do where his provider tells it, if any does.
    pub owner_rights: Option<OwnerRights>,
}

#[derive(Queryable)]
struct Row {
    credential: CredentialColumns,
    key: KeyColumns,
    organization: OrganizationColumns,
    owner: Option<OwnerColumns>,
    member_role: Option<String>,
    owner_rights: Option<String>,
    permission: PermissionColumns,
}

#[derive(Queryable)]
struct OrganizationColumns {
    disabled_at: Option<Timestamp>,
    limited: bool,
}

#[derive(Queryable)]
struct OwnerColumns {
    issuer: String,
    subject: String,
}

#[derive(Queryable)]
struct PermissionColumns {
    id: Option<String>,
    /// The same, if the organization's list has it.
    organization_has: Option<String>,
    /// Whether one of the owner's roles has it.
    owner_has: bool,
}

impl Row {
    /// The permission of this row, if it counts.
    fn permission(&self) -> Option<&str> {
        let held = !self.organization.limited || self.permission.organization_has.is_some();
        let is_member = self.member_role.as_deref() == Some(MemberRole::Member.as_str());
        let given = held && (!is_member || self.permission.owner_has);
        self.permission.id.as_deref().filter(|_| given)
    }
}

#[derive(Queryable)]
struct CredentialColumns {
    id: String,
    password_digest: Vec<u8>,
    digest_generation: i32,
    provider_generation: i32,
    state: String,
    retires_at: Option<Timestamp>,
    ended_at: Option<Timestamp>,
    end_reason: Option<String>,
    provider_rights: Option<String>,
    provider_rights_at: Option<Timestamp>,
    provider_credential: Option<Vec<u8>>,
}

#[derive(Queryable)]
struct KeyColumns {
    id: String,
    organization_id: String,
    provider: String,
    metadata: String,
    expires_at: Option<Timestamp>,
    revoked_at: Option<Timestamp>,
    disabled_at: Option<Timestamp>,
    activated_at: Option<Timestamp>,
    created_at: Timestamp,
    allowed_cidrs: Option<String>,
    rate_requests: Option<i32>,
    rate_per_seconds: Option<i32>,
    default_resource_id: Option<String>,
    may_act_id: Option<String>,
}

/// The generation of this user name and all around it. One statement: a row for each permission, at least one.
pub fn find(connection: &mut Connection, name: &UserName) -> Result<Option<Presented>, Error> {
    let owner_has = diesel::dsl::exists(
        membership_roles::table
            .inner_join(
                role_permissions::table.on(role_permissions::role_id.eq(membership_roles::role_id)),
            )
            .filter(membership_roles::organization_id.eq(api_keys::organization_id))
            .filter(membership_roles::user_id.nullable().eq(api_keys::owner_id))
            .filter(
                role_permissions::permission_id
                    .nullable()
                    .eq(api_key_permissions::permission_id.nullable()),
            ),
    );
    let in_the_organizations_list = organization_permissions::organization_id
        .eq(api_keys::organization_id)
        .and(
            organization_permissions::permission_id
                .nullable()
                .eq(api_key_permissions::permission_id.nullable()),
        );
    let owner_there = memberships::organization_id
        .eq(api_keys::organization_id)
        .and(memberships::user_id.nullable().eq(api_keys::owner_id));
    let statement = credentials::table
        .inner_join(api_keys::table.inner_join(organizations::table))
        .left_join(
            api_key_permissions::table.on(api_key_permissions::key_id.eq(credentials::key_id)),
        )
        .left_join(organization_permissions::table.on(in_the_organizations_list))
        .left_join(users::table.on(users::id.nullable().eq(api_keys::owner_id)))
        .left_join(memberships::table.on(owner_there))
        .left_join(owner_states::table.on(owner_states::user_id.nullable().eq(api_keys::owner_id)))
        .filter(credentials::user_name.eq(name.as_str()))
        .select((
            (
                credentials::id,
                credentials::password_digest,
                credentials::digest_generation,
                credentials::provider_generation,
                credentials::state,
                credentials::retires_at,
                credentials::ended_at,
                credentials::end_reason,
                credentials::provider_rights,
                credentials::provider_rights_at,
                credentials::provider_credential,
            ),
            (
                api_keys::id,
                api_keys::organization_id,
                api_keys::provider,
                api_keys::metadata,
                api_keys::expires_at,
                api_keys::revoked_at,
                api_keys::disabled_at,
                api_keys::activated_at,
                api_keys::created_at,
                api_keys::allowed_cidrs,
                api_keys::rate_requests,
                api_keys::rate_per_seconds,
                api_keys::default_resource_id,
                api_keys::may_act_id,
            ),
            (organizations::disabled_at, organizations::limited),
            (users::issuer, users::subject).nullable(),
            memberships::role.nullable(),
            owner_states::rights.nullable(),
            (
                api_key_permissions::permission_id.nullable(),
                organization_permissions::permission_id.nullable(),
                owner_has,
            ),
        ));
    // On the connection inside: there diesel knows the statement by its type, and need not write its text to find it prepared.
    let rows: Vec<Row> = each!(connection, |inner| statement.load(inner))?;
    let recorded = parse(rows.iter().filter_map(|row| row.permission.id.as_deref()))?;
    let permissions = parse(rows.iter().filter_map(Row::permission))?;
    rows.into_iter()
        .next()
        .map(|row| assemble(row, (permissions, recorded)))
        .transpose()
}

fn parse<'a>(ids: impl Iterator<Item = &'a str>) -> Result<Vec<PermissionId>, Error> {
    let parse = |id: &str| {
        id.parse()
            .map_err(|error| Error::corrupt("api_key_permissions.permission_id", error))
    };
    let mut ids = ids.map(parse).collect::<Result<Vec<_>, Error>>()?;
    ids.sort_unstable();
    Ok(ids)
}

fn assemble(
    row: Row,
    (permissions, recorded_permissions): (Vec<PermissionId>, Vec<PermissionId>),
) -> Result<Presented, Error> {
    let Row {
        credential,
        key,
        owner,
        organization,
        owner_rights,
        ..
    } = row;
    let default_resource = key.default_resource_id.map(|id| id.parse()).transpose();
    Ok(Presented {
        credential_id: credential
            .id
            .parse()
            .map_err(|error| Error::corrupt("credentials.id", error))?,
        password_digest: super::credentials::password_digest(&credential.password_digest)?,
        digest_generation: credential.digest_generation,
        provider_generation: credential.provider_generation,
        state: super::credentials::state(
            &credential.state,
            credential.retires_at,
            credential.ended_at,
            credential.end_reason.as_deref(),
        )?,
        provider_rights: super::credentials::provider_rights(
            credential.provider_rights.as_deref(),
            credential.provider_rights_at,
        )?,
        key_id: key
            .id
            .parse()
            .map_err(|error| Error::corrupt("api_keys.id", error))?,
        organization_id: key
            .organization_id
            .parse()
            .map_err(|error| Error::corrupt("api_keys.organization_id", error))?,
        organization_disabled: organization.disabled_at.is_some(),
        provider: key
            .provider
            .parse()
            .map_err(|error| Error::corrupt("api_keys.provider", error))?,
        owner: owner
            .map(|owner| super::users::subject(owner.issuer, owner.subject))
            .transpose()?,
        metadata: if key.metadata == "{}" {
            Metadata::default()
        } else {
            super::parse_json(&key.metadata, "api_keys.metadata")?
        },
        lifecycle: KeyLifecycle {
            created_at: key.created_at.into(),
            activated_at: key.activated_at.map(Into::into),
            expires_at: key.expires_at.map(Into::into),
            disabled_at: key.disabled_at.map(Into::into),
            revoked_at: key.revoked_at.map(Into::into),
        },
        allowed_cidrs: super::api_keys::allowed_cidrs(key.allowed_cidrs.as_deref())?,
        rate_limit: super::api_keys::rate_limit(key.rate_requests, key.rate_per_seconds)?,
        default_resource: default_resource
            .map_err(|error| Error::corrupt("api_keys.default_resource_id", error))?,
        may_act: super::api_keys::may_act(key.may_act_id)?,
        permissions,
        recorded_permissions,
        provider_credential: credential.provider_credential,
        owner_rights: owner_rights
            .as_deref()
            .map(super::owner_states::rights)
            .transpose()?,
    })
}
