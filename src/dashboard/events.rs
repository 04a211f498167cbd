//! What happened, and by whom, in words.

use std::collections::HashMap;

use super::language::{Text, Words};
use super::view::Value;

/// Who caused something.
pub fn actor_value(words: Words, actor: &str, names: &HashMap<String, String>) -> Value {
    if let Some(name) = names.get(actor) {
        return Value::Data(name.clone());
    }
    match actor {
        "kagiya" => Value::Words(words.t("actor-server")),
        "sign-in" => Value::Words(words.t("actor-sign-in")),
        "leaked key" => Value::Words(words.t("actor-leaked")),
        other => Value::Code(other.to_owned()),
    }
}

/// What happened, in words; what has none is told by its code beside.
pub fn action_words(words: Words, action: &str) -> Text {
    match action {
        "key.created" => words.t("event-key-created"),
        "key.updated" => words.t("event-key-updated"),
        "key.permissions_changed" => words.t("event-key-permissions"),
        "key.rotated" => words.t("event-key-rotated"),
        "key.grace_ended" => words.t("event-key-grace"),
        "key.revoked" => words.t("event-key-revoked"),
        "keys.revoked" => words.t("event-keys-revoked"),
        "member.added" => words.t("event-member-added"),
        "member.updated" => words.t("event-member-updated"),
        "member.removed" => words.t("event-member-removed"),
        "organization.created" => words.t("event-organization-created"),
        "organization.updated" => words.t("event-organization-updated"),
        "organization.deleted" => words.t("event-organization-deleted"),
        "organization.permissions_changed" => words.t("event-organization-permissions"),
        "session.started" => words.t("event-session-started"),
        "session.ended" | "sessions.ended" => words.t("event-session-ended"),
        "sign_in.failed" => words.t("event-sign-in-failed"),
        "sign_in_link.created" => words.t("event-link-created"),
        "sign_in_link.withdrawn" => words.t("event-link-withdrawn"),
        "operator.granted" => words.t("event-operator-granted"),
        "operator.revoked" => words.t("event-operator-revoked"),
        "password.changed" => words.t("event-password-changed"),
        "passkey.added" => words.t("event-passkey-added"),
        "passkey.removed" => words.t("event-passkey-removed"),
        "person.disabled" => words.t("event-person-disabled"),
        "person.enabled" => words.t("event-person-enabled"),
        "user.created" => words.t("event-user-created"),
        "user.updated" => words.t("event-user-updated"),
        "user.deleted" => words.t("event-user-deleted"),
        "resource.created" => words.t("event-resource-created"),
        "resource.updated" => words.t("event-resource-updated"),
        "resource.deleted" => words.t("event-resource-deleted"),
        "permission.created" => words.t("event-permission-created"),
        "permission.deleted" => words.t("event-permission-deleted"),
        "role.created" => words.t("event-role-created"),
        "role.updated" => words.t("event-role-updated"),
        "role.deleted" => words.t("event-role-deleted"),
        "application.created" => words.t("event-application-created"),
        "application.updated" => words.t("event-application-updated"),
        "application.roles_changed" => words.t("event-application-roles"),
        "application.secret_added" => words.t("event-client-secret-added"),
        "application.secret_removed" => words.t("event-client-secret-removed"),
        "application.deleted" => words.t("event-application-deleted"),
        "exchange_rule.created" => words.t("event-rule-created"),
        "exchange_rule.updated" => words.t("event-rule-updated"),
        "exchange_rule.deleted" => words.t("event-rule-deleted"),
        "token.exchanged" => words.t("event-token-exchanged"),
        "token.exchange_refused" => words.t("event-token-refused"),
        "token.revoked" => words.t("event-token-revoked"),
        "signing_keys.rotated" => words.t("event-signing-rotated"),
        "signing_keys.withdrawn" => words.t("event-signing-withdrawn"),
        "secret.announced" => words.t("event-secret-announced"),
        "secret.activated" => words.t("event-secret-activated"),
        "secret.retired" => words.t("event-secret-retired"),
        "secret.leaked" => words.t("event-secret-leaked"),
        "root_secret.announced" | "root_secret.replaced" | "root_secret.kept" => {
            words.t("event-root-secret")
        }
        "operator_token.used" => words.t("event-operator-token"),
        _ => words.t("event-other"),
    }
}
