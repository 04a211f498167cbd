//! What was just done, told once on the next page: the page is sent for anew after each change, so a reload repeats nothing.

use super::language::{Text, Words};

macro_rules! done {
    ($($name:ident $word:literal $key:literal;)*) => {
        /// Something that was done.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Done {
            $(#[doc = concat!("`", $word, "`.")] $name,)*
        }

        impl Done {
            /// Every one.
            #[cfg(test)]
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The word in the cookie.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)*
                }
            }

            /// The one of this word.
            pub fn of_word(word: &str) -> Option<Self> {
                match word {
                    $($word => Some(Self::$name),)*
                    _ => None,
                }
            }

            /// What it says.
            pub fn words(self, words: Words) -> Text {
                match self {
                    $(Self::$name => words.t($key),)*
                }
            }
        }
    };
}

done! {
    KeyChanged "key-changed" "done-key-changed";
    KeyPermissions "key-permissions" "done-key-permissions";
    KeyDisabled "key-disabled" "done-key-disabled";
    KeyEnabled "key-enabled" "done-key-enabled";
    KeyRevoked "key-revoked" "done-key-revoked";
    KeyHandedOver "key-handed-over" "done-key-handed-over";
    FoundStopped "found-stopped" "done-found-stopped";
    FoundNothing "found-nothing" "done-found-nothing";
    KeysStopped "keys-stopped" "done-keys-stopped";
    MemberChanged "member-changed" "done-member-changed";
    MemberRemoved "member-removed" "done-member-removed";
    InvitationWithdrawn "invitation-withdrawn" "done-invitation-withdrawn";
    Joined "joined" "done-joined";
    OperatorNow "operator-now" "done-operator-now";
    NameChanged "name-changed" "done-name-changed";
    PasswordChanged "password-changed" "done-password-changed";
    PasskeyAdded "passkey-added" "done-passkey-added";
    PasskeyRemoved "passkey-removed" "done-passkey-removed";
    SessionsEnded "sessions-ended" "done-sessions-ended";
    SignedOut "signed-out" "done-signed-out";
    OrganizationMade "organization-made" "done-organization-made";
    OrganizationChanged "organization-changed" "done-organization-changed";
    OrganizationDeleted "organization-deleted" "done-organization-deleted";
    ResourceChanged "resource-changed" "done-resource-changed";
    ResourceDeleted "resource-deleted" "done-resource-deleted";
    PermissionAdded "permission-added" "done-permission-added";
    PermissionDeleted "permission-deleted" "done-permission-deleted";
    RoleChanged "role-changed" "done-role-changed";
    RoleDeleted "role-deleted" "done-role-deleted";
    ApplicationChanged "application-changed" "done-application-changed";
    ApplicationRoles "application-roles" "done-application-roles";
    ApplicationDisabled "application-disabled" "done-application-disabled";
    ApplicationEnabled "application-enabled" "done-application-enabled";
    ApplicationDeleted "application-deleted" "done-application-deleted";
    ClientSecretRemoved "client-secret-removed" "done-client-secret-removed";
    ExchangeRuleMade "exchange-rule-made" "done-exchange-rule-made";
    ExchangeRuleChanged "exchange-rule-changed" "done-exchange-rule-changed";
    ExchangeRuleDeleted "exchange-rule-deleted" "done-exchange-rule-deleted";
    PersonDisabled "person-disabled" "done-person-disabled";
    PersonEnabled "person-enabled" "done-person-enabled";
    OperatorGranted "operator-granted" "done-operator-granted";
    OperatorRevoked "operator-revoked" "done-operator-revoked";
    SigningKeyRotated "signing-key-rotated" "done-signing-key-rotated";
    SigningKeyWithdrawn "signing-key-withdrawn" "done-signing-key-withdrawn";
    SecretRotated "secret-rotated" "done-secret-rotated";
    SecretRetired "secret-retired" "done-secret-retired";
}
