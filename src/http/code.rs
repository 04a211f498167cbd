//! The table of problem codes: every error that this API answers, with its status and title.
//!
//! A code is a stable snake_case word that programs may match on; its problem `type` (RFC 9457 §3.1.1) is
//! `urn:kagiya:problem:<code>`: absolute, and the same in every deployment. `docs/errors.md` explains each to the reader of an
//! answer, and a test holds that document against this table.

use actix_web::http::StatusCode;

macro_rules! codes {
    ($($variant:ident $code:literal $status:ident $title:literal;)*) => {
        /// A stable word for what went wrong.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code {
            $(#[doc = $title] $variant,)*
        }

        impl Code {
            /// All codes, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The word, as it stands in `code`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// The HTTP status of an answer with this code.
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$variant => StatusCode::$status,)* }
            }

            /// The short summary, the same for every occurrence (RFC 9457 §3.1.3).
            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)* }
            }

            /// The problem type, an absolute URI (RFC 9457 §3.1.1).
            pub const fn type_uri(self) -> &'static str {
                match self { $(Self::$variant => concat!("urn:kagiya:problem:", $code),)* }
            }
        }
    };
}

codes! {
    // The request itself.
    InvalidJson "invalid_json" BAD_REQUEST "The body is not valid JSON";
    InvalidRequest "invalid_request" BAD_REQUEST "The request is malformed";
    InvalidScope "invalid_scope" BAD_REQUEST "A scope was asked for that is not held";
    InvalidTarget "invalid_target" BAD_REQUEST "No token can be issued for this resource";
    NotFound "not_found" NOT_FOUND "There is nothing here";
    MethodNotAllowed "method_not_allowed" METHOD_NOT_ALLOWED "This method is not allowed here";
    PayloadTooLarge "payload_too_large" PAYLOAD_TOO_LARGE "The body is too large";
    UnsupportedMediaType "unsupported_media_type" UNSUPPORTED_MEDIA_TYPE "The body has the wrong media type";
    UnknownField "unknown_field" UNPROCESSABLE_ENTITY "A field is not known here";
    InvalidParameter "invalid_parameter" UNPROCESSABLE_ENTITY "A value is not valid";

    // Who asks.
    Unauthorized "unauthorized" UNAUTHORIZED "A credential is needed";
    InvalidToken "invalid_token" UNAUTHORIZED "The access token is not valid";
    InvalidApiKey "invalid_api_key" UNAUTHORIZED "The API key is not valid";
    ApiKeyExpired "api_key_expired" UNAUTHORIZED "The API key has expired";
    ApiKeyDisabled "api_key_disabled" UNAUTHORIZED "The API key is disabled";
    ApiKeyRevoked "api_key_revoked" UNAUTHORIZED "The API key was revoked";
    ApiKeyRotated "api_key_rotated" UNAUTHORIZED "The API key was replaced by a newer one";
    Forbidden "forbidden" FORBIDDEN "This is not allowed";
    InsufficientScope "insufficient_scope" FORBIDDEN "The access token lacks a scope";
    AddressNotAllowed "address_not_allowed" FORBIDDEN "The API key may not be used from this address";
    WouldWiden "would_widen" FORBIDDEN "This would give more than the caller holds";
    BeyondGrantor "beyond_grantor" FORBIDDEN "This would give more than the caller may give";
    SelfRotateNotAllowed "self_rotate_not_allowed" FORBIDDEN "The API key may not rotate itself";
    ApiKeyRetiring "api_key_retiring" FORBIDDEN "The API key is being replaced by a newer one";
    AmbiguousPath "ambiguous_path" FORBIDDEN "The path of the request can be read in more than one way";
    MisconfiguredRoute "misconfigured_route" FORBIDDEN "Nothing is configured for this request";
    RateLimited "rate_limited" TOO_MANY_REQUESTS "Too many requests";

    // The present state of things.
    SlugTaken "slug_taken" CONFLICT "The slug is taken";
    IdentifierTaken "identifier_taken" CONFLICT "The identifier is taken";
    PermissionExists "permission_exists" CONFLICT "The permission exists already";
    OrganizationNotEmpty "organization_not_empty" CONFLICT "The organization still has keys or applications";
    TooManyKeys "too_many_keys" CONFLICT "The organization has as many keys as it may have";
    RoleNameTaken "role_name_taken" CONFLICT "The name of the role is taken";
    RoleInUse "role_in_use" CONFLICT "The role is held by somebody";
    UserExists "user_exists" CONFLICT "The person is known already";
    UserInUse "user_in_use" CONFLICT "The person is a member or owns keys";
    PermissionInUse "permission_in_use" CONFLICT "Somebody uses the permission";
    ResourceInUse "resource_in_use" CONFLICT "Somebody uses the resource";
    ApplicationInUse "application_in_use" CONFLICT "Something refers to the application";
    SecretsUnused "secrets_unused" CONFLICT "The application has no secrets";
    TooManySecrets "too_many_secrets" CONFLICT "The application has as many secrets as it may have";
    ExchangeRuleExists "exchange_rule_exists" CONFLICT "There is an exchange rule from and to these resources";
    ResourceReserved "resource_reserved" CONFLICT "The resource is reserved";
    KeyRevoked "key_revoked" CONFLICT "The key is revoked";
    KeyNotActive "key_not_active" CONFLICT "The key is not in a state that allows this";
    KeyChanged "key_changed" CONFLICT "The key was changed by another call at the same time";
    TooManyOrphans "too_many_orphans" CONFLICT "Too many users to remove at once";
    SecretInUse "secret_in_use" CONFLICT "The secret is still needed";
    SecretState "secret_state" CONFLICT "The secret is not in a state that allows this";
    RootSecretGiven "root_secret_given" CONFLICT "The root secret is the operator's to replace";
    NextKeyTooYoung "next_key_too_young" CONFLICT "The next signing key has not been published for long enough";
    IdempotencyKeyReused "idempotency_key_reused" UNPROCESSABLE_ENTITY "The Idempotency-Key was used with another body";
    IdempotencyInProgress "idempotency_in_progress" CONFLICT "The first request with this Idempotency-Key still runs";
    IdempotencyAnswerGone "idempotency_answer_gone" CONFLICT "The answer kept for this Idempotency-Key has been erased";
    PreconditionFailed "precondition_failed" PRECONDITION_FAILED "The object has changed since it was read";

    // The server.
    DatabaseUnavailable "database_unavailable" SERVICE_UNAVAILABLE "The database cannot be reached";
    SigningKeyUnavailable "signing_key_unavailable" SERVICE_UNAVAILABLE "There is no key to sign with";
    IdentityProviderUnavailable "identity_provider_unavailable" SERVICE_UNAVAILABLE "The identity provider cannot be used";
    CannotJudge "cannot_judge" SERVICE_UNAVAILABLE "The request cannot be judged";
    Internal "internal" INTERNAL_SERVER_ERROR "Something went wrong on the server";
}

#[cfg(test)]
mod tests;
