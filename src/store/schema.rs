//! The tables as diesel sees them: one description for both databases.
//!
//! Written by hand: `diesel print-schema` reads every INTEGER of SQLite as 32 bits. A test holds it against what the migrations
//! make on both. Times are `BigInt` microseconds ([`super::Timestamp`]), JSON is `Text`.

use diesel::{allow_tables_to_appear_in_same_query, joinable, table};

table! {
    deployment (id) {
        id -> Text,
        issuer -> Text,
        root_check -> Binary,
        epoch -> BigInt,
        created_at -> BigInt,
        next_root_check -> Nullable<Binary>,
    }
}

table! {
    key_prefixes (prefix) {
        prefix -> Text,
        created_at -> BigInt,
    }
}

table! {
    secrets (purpose, generation) {
        purpose -> Text,
        generation -> Integer,
        state -> Text,
        sealed -> Binary,
        created_at -> BigInt,
        changed_at -> BigInt,
        next_sealed -> Nullable<Binary>,
    }
}

table! {
    signing_keys (kid) {
        kid -> Text,
        alg -> Text,
        state -> Text,
        public_jwk -> Text,
        sealed -> Binary,
        created_at -> BigInt,
        activated_at -> Nullable<BigInt>,
        retired_at -> Nullable<BigInt>,
        remove_at -> Nullable<BigInt>,
    }
}

table! {
    organizations (id) {
        id -> Text,
        name -> Text,
        slug -> Nullable<Text>,
        metadata -> Text,
        disabled_at -> Nullable<BigInt>,
        version -> BigInt,
        created_at -> BigInt,
        updated_at -> BigInt,
        limited -> Bool,
        max_keys -> Nullable<Integer>,
        owner_gone -> Text,
    }
}

table! {
    organization_permissions (organization_id, permission_id) {
        organization_id -> Text,
        permission_id -> Text,
    }
}

table! {
    users (id) {
        id -> Text,
        issuer -> Text,
        subject -> Text,
        name -> Nullable<Text>,
        version -> BigInt,
        created_at -> BigInt,
        updated_at -> BigInt,
    }
}

table! {
    roles (id) {
        id -> Text,
        name -> Text,
        description -> Nullable<Text>,
        kind -> Text,
        version -> BigInt,
        created_at -> BigInt,
        updated_at -> BigInt,
    }
}

table! {
    role_permissions (role_id, permission_id) {
        role_id -> Text,
        permission_id -> Text,
    }
}

table! {
    memberships (organization_id, user_id) {
        organization_id -> Text,
        user_id -> Text,
        role -> Text,
        version -> BigInt,
        created_at -> BigInt,
        updated_at -> BigInt,
    }
}

table! {
    membership_roles (organization_id, user_id, role_id) {
        organization_id -> Text,
        user_id -> Text,
        role_id -> Text,
    }
}

table! {
    resources (id) {
        id -> Text,
        identifier -> Text,
        name -> Nullable<Text>,
        token_lifetime -> Integer,
        signing_alg -> Text,
        metadata_claims -> Text,
        reserved -> Bool,
        version -> BigInt,
        created_at -> BigInt,
        updated_at -> BigInt,
    }
}

table! {
    permissions (id) {
        id -> Text,
        resource_id -> Text,
        name -> Text,
        description -> Nullable<Text>,
        created_at -> BigInt,
    }
}

table! {
    api_keys (id) {
        id -> Text,
        organization_id -> Text,
        name -> Text,
        provider -> Text,
        metadata -> Text,
        expires_at -> Nullable<BigInt>,
        revoked_at -> Nullable<BigInt>,
        disabled_at -> Nullable<BigInt>,
        activated_at -> Nullable<BigInt>,
        rotated_at -> Nullable<BigInt>,
        allowed_cidrs -> Nullable<Text>,
        rate_requests -> Nullable<Integer>,
        rate_per_seconds -> Nullable<Integer>,
        default_resource_id -> Nullable<Text>,
        epoch -> BigInt,
        created_by -> Text,
        created_at -> BigInt,
        updated_at -> BigInt,
        owner_id -> Nullable<Text>,
        self_rotate -> Bool,
        may_act_id -> Nullable<Text>,
    }
}

table! {
    credentials (id) {
        id -> Text,
        key_id -> Text,
        user_name -> Text,
        hint -> Text,
        password_digest -> Binary,
        digest_generation -> Integer,
        tag_generation -> Integer,
        provider_generation -> Integer,
        idp_subject -> Nullable<Text>,
        state -> Text,
        retires_at -> Nullable<BigInt>,
        created_at -> BigInt,
        activated_at -> Nullable<BigInt>,
        ended_at -> Nullable<BigInt>,
        end_reason -> Nullable<Text>,
        provider_rights -> Nullable<Text>,
        provider_rights_at -> Nullable<BigInt>,
        provider_credential -> Nullable<Binary>,
    }
}

table! {
    api_key_permissions (key_id, permission_id) {
        key_id -> Text,
        permission_id -> Text,
    }
}

table! {
    applications (id) {
        id -> Text,
        organization_id -> Nullable<Text>,
        name -> Text,
        description -> Nullable<Text>,
        auth_method -> Nullable<Text>,
        jwks -> Nullable<Text>,
        legacy_assertion_audience -> Bool,
        default_resource_id -> Nullable<Text>,
        allowed_cidrs -> Nullable<Text>,
        may_act_id -> Nullable<Text>,
        disabled_at -> Nullable<BigInt>,
        version -> BigInt,
        created_at -> BigInt,
        updated_at -> BigInt,
    }
}

table! {
    application_secrets (id) {
        id -> Text,
        application_id -> Text,
        digest -> Binary,
        digest_generation -> Integer,
        hint -> Text,
        expires_at -> Nullable<BigInt>,
        created_at -> BigInt,
    }
}

table! {
    application_roles (application_id, role_id) {
        application_id -> Text,
        role_id -> Text,
    }
}

table! {
    application_resources (application_id, resource_id) {
        application_id -> Text,
        resource_id -> Text,
    }
}

table! {
    used_assertions (id) {
        id -> Binary,
        expires_at -> BigInt,
    }
}

table! {
    revoked_tokens (jti) {
        jti -> Text,
        client_id -> Text,
        revoked_at -> BigInt,
        expires_at -> BigInt,
    }
}

table! {
    exchange_rules (id) {
        id -> Text,
        application_id -> Text,
        source_id -> Text,
        requires_scope -> Text,
        target_id -> Text,
        delegation -> Bool,
        impersonation -> Bool,
        subject_must_hold -> Bool,
        version -> BigInt,
        created_at -> BigInt,
        updated_at -> BigInt,
    }
}

table! {
    exchange_rule_permissions (rule_id, permission_id) {
        rule_id -> Text,
        permission_id -> Text,
    }
}

table! {
    exchanged_tokens (jti) {
        jti -> Text,
        client_id -> Text,
        rule_id -> Nullable<Text>,
        subject_jti -> Nullable<Text>,
        subject_kid -> Nullable<Text>,
        subject_audience -> Nullable<Text>,
        subject_scope -> Nullable<Text>,
        subject_issuer_id -> Nullable<Text>,
        subject_rules -> Nullable<Text>,
        actor_jti -> Nullable<Text>,
        actor_kid -> Nullable<Text>,
        actor_subject -> Nullable<Text>,
        actor_generation -> Nullable<Text>,
        actor_issuer_id -> Nullable<Text>,
        depth -> Integer,
        expires_at -> BigInt,
    }
}

table! {
    removed_grounds (id) {
        id -> Text,
        removed_at -> BigInt,
        expires_at -> BigInt,
    }
}

table! {
    builtin_users (user_name) {
        user_name -> Text,
        subject -> Text,
        password_digest -> Binary,
        attributes -> Text,
        disabled_at -> Nullable<BigInt>,
        created_at -> BigInt,
    }
}

table! {
    builtin_user_permissions (user_name, resource, scope) {
        user_name -> Text,
        resource -> Text,
        scope -> Text,
    }
}

table! {
    idp_operations (id) {
        id -> Text,
        provider -> Text,
        kind -> Text,
        key_id -> Text,
        credential_id -> Text,
        user_name -> Text,
        attempts -> Integer,
        next_try_at -> BigInt,
        claim -> BigInt,
        claimed_at -> Nullable<BigInt>,
        created_at -> BigInt,
        done_at -> Nullable<BigInt>,
        last_error -> Nullable<Text>,
        settle_at -> Nullable<BigInt>,
        failing_since -> Nullable<BigInt>,
        stuck_at -> Nullable<BigInt>,
    }
}

table! {
    idp_resources (provider, resource) {
        provider -> Text,
        resource -> Text,
        wanted -> BigInt,
        carried -> BigInt,
        made -> Bool,
        permissions -> Text,
        attempts -> Integer,
        next_try_at -> BigInt,
        claim -> BigInt,
        claimed_at -> Nullable<BigInt>,
        wanted_at -> BigInt,
        stuck_at -> Nullable<BigInt>,
        last_error -> Nullable<Text>,
    }
}

table! {
    owner_states (user_id) {
        user_id -> Text,
        provider -> Text,
        rights -> Text,
        gone_at -> Nullable<BigInt>,
        asked_at -> BigInt,
    }
}

table! {
    idempotency (id) {
        id -> Binary,
        caller -> Text,
        body_digest -> Binary,
        state -> Text,
        status -> Nullable<Integer>,
        sealed_answer -> Nullable<Binary>,
        credential_id -> Nullable<Text>,
        node -> Text,
        created_at -> BigInt,
        expires_at -> BigInt,
    }
}

table! {
    audit_events (id) {
        id -> Text,
        at -> BigInt,
        actor -> Text,
        action -> Text,
        subject -> Text,
        organization_id -> Nullable<Text>,
        address -> Nullable<Text>,
        request_id -> Nullable<Text>,
        details -> Text,
        chain -> Nullable<BigInt>,
        position -> Nullable<BigInt>,
        seal -> Nullable<Binary>,
    }
}

table! {
    audit_chains (number) {
        number -> BigInt,
        node -> Text,
        generation -> Integer,
        started_at -> BigInt,
        length -> BigInt,
        link -> Binary,
        heads -> Text,
        changed_at -> BigInt,
        ended_at -> Nullable<BigInt>,
        mark -> Binary,
    }
}

table! {
    audit_register (one) {
        one -> Integer,
        chains -> BigInt,
        adopting -> Bool,
        generation -> Nullable<Integer>,
        mark -> Nullable<Binary>,
    }
}

table! {
    audit_segments (chain, first) {
        chain -> BigInt,
        first -> BigInt,
        last -> BigInt,
        first_id -> Text,
        first_at -> BigInt,
        last_id -> Text,
        last_at -> BigInt,
        digest -> Binary,
        link -> Binary,
        removed_at -> BigInt,
        generation -> Integer,
        mark -> Binary,
    }
}

table! {
    key_usage (key_id) {
        key_id -> Text,
        last_used_at -> BigInt,
    }
}

table! {
    usage_daily (key_id, day, target) {
        key_id -> Text,
        day -> BigInt,
        target -> Text,
        resource -> Nullable<Text>,
        scope -> Nullable<Text>,
        exchanges -> BigInt,
        refusals -> BigInt,
    }
}

table! {
    people (user_id) {
        user_id -> Text,
        login_name -> Nullable<Text>,
        password_hash -> Nullable<Text>,
        operator_since -> Nullable<BigInt>,
        disabled_at -> Nullable<BigInt>,
        last_sign_in_at -> Nullable<BigInt>,
        created_at -> BigInt,
    }
}

table! {
    sessions (id) {
        id -> Binary,
        user_id -> Text,
        method -> Text,
        address -> Nullable<Text>,
        agent -> Nullable<Text>,
        created_at -> BigInt,
        seen_at -> BigInt,
        expires_at -> BigInt,
    }
}

table! {
    used_attempts (id) {
        id -> Binary,
        expires_at -> BigInt,
    }
}

table! {
    passkeys (id) {
        id -> Text,
        user_id -> Text,
        name -> Text,
        passkey -> Text,
        created_at -> BigInt,
        last_used_at -> Nullable<BigInt>,
    }
}

table! {
    sign_in_links (id) {
        id -> Text,
        digest -> Binary,
        kind -> Text,
        organization_id -> Nullable<Text>,
        role -> Nullable<Text>,
        roles -> Text,
        user_id -> Nullable<Text>,
        note -> Nullable<Text>,
        loopback -> Bool,
        created_by -> Text,
        created_at -> BigInt,
        expires_at -> BigInt,
        used_at -> Nullable<BigInt>,
        used_by -> Nullable<Text>,
    }
}

table! {
    ruled_memberships (organization_id, user_id) {
        organization_id -> Text,
        user_id -> Text,
    }
}

table! {
    key_refusals (key_id, at, number) {
        key_id -> Text,
        at -> BigInt,
        number -> Integer,
        reason -> Text,
        resource -> Nullable<Text>,
        scope -> Nullable<Text>,
        address -> Nullable<Text>,
    }
}

joinable!(permissions -> resources (resource_id));
joinable!(api_keys -> organizations (organization_id));
joinable!(api_keys -> resources (default_resource_id));
joinable!(api_keys -> users (owner_id));
joinable!(memberships -> users (user_id));
joinable!(membership_roles -> roles (role_id));
joinable!(role_permissions -> roles (role_id));
joinable!(owner_states -> users (user_id));
joinable!(credentials -> api_keys (key_id));
joinable!(api_key_permissions -> api_keys (key_id));
joinable!(api_key_permissions -> permissions (permission_id));
joinable!(applications -> organizations (organization_id));
joinable!(application_roles -> roles (role_id));
joinable!(application_roles -> applications (application_id));
joinable!(application_resources -> resources (resource_id));
joinable!(builtin_user_permissions -> builtin_users (user_name));
joinable!(key_usage -> api_keys (key_id));
joinable!(usage_daily -> api_keys (key_id));
joinable!(people -> users (user_id));
joinable!(sessions -> users (user_id));
joinable!(passkeys -> users (user_id));
joinable!(key_refusals -> api_keys (key_id));

allow_tables_to_appear_in_same_query!(
    deployment,
    key_prefixes,
    secrets,
    signing_keys,
    organizations,
    organization_permissions,
    users,
    roles,
    role_permissions,
    memberships,
    membership_roles,
    resources,
    permissions,
    api_keys,
    credentials,
    api_key_permissions,
    applications,
    application_secrets,
    application_roles,
    application_resources,
    used_assertions,
    revoked_tokens,
    exchange_rules,
    exchange_rule_permissions,
    exchanged_tokens,
    removed_grounds,
    builtin_users,
    builtin_user_permissions,
    idp_operations,
    idp_resources,
    owner_states,
    idempotency,
    audit_events,
    audit_chains,
    audit_register,
    audit_segments,
    key_usage,
    usage_daily,
    people,
    sessions,
    used_attempts,
    passkeys,
    sign_in_links,
    ruled_memberships,
    key_refusals,
);
