//! Why an exchange was refused, as a label.

/// The reasons; the words are the codes of the contract, and those that it hides from callers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No key, or two of them.
    InvalidRequest,
    /// Not of the shape of a key, or a wrong checksum.
    Malformed,
    /// The tag is not ours.
    Forged,
    /// No such key, or another password.
    Unknown,
    /// Past the expiry that its owner set.
    ApiKeyExpired,
    /// Disabled, or its organization is.
    ApiKeyDisabled,
    /// Revoked.
    ApiKeyRevoked,
    /// An earlier generation.
    ApiKeyRotated,
    /// A scope that is not held there.
    InvalidScope,
    /// A resource that it has no permission on, or none named.
    InvalidTarget,
    /// From outside the addresses that the key allows.
    AddressNotAllowed,
    /// Beyond the key's own rate.
    RateLimited,
    /// Beyond the bad keys that one address may send.
    TooManyBadKeys,
    /// Not a token of ours that is good now, shown to a gateway.
    InvalidToken,
    /// The database or the identity provider is down.
    Unavailable,
}

impl Refusal {
    /// Every reason, in the order of their numbers.
    pub const ALL: [Self; 15] = [
        Self::InvalidRequest,
        Self::Malformed,
        Self::Forged,
        Self::Unknown,
        Self::ApiKeyExpired,
        Self::ApiKeyDisabled,
        Self::ApiKeyRevoked,
        Self::ApiKeyRotated,
        Self::InvalidScope,
        Self::InvalidTarget,
        Self::AddressNotAllowed,
        Self::RateLimited,
        Self::TooManyBadKeys,
        Self::InvalidToken,
        Self::Unavailable,
    ];

    /// The label's value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::Malformed => "malformed",
            Self::Forged => "forged",
            Self::Unknown => "unknown",
            Self::ApiKeyExpired => "api_key_expired",
            Self::ApiKeyDisabled => "api_key_disabled",
            Self::ApiKeyRevoked => "api_key_revoked",
            Self::ApiKeyRotated => "api_key_rotated",
            Self::InvalidScope => "invalid_scope",
            Self::InvalidTarget => "invalid_target",
            Self::AddressNotAllowed => "address_not_allowed",
            Self::RateLimited => "rate_limited",
            Self::TooManyBadKeys => "too_many_bad_keys",
            Self::InvalidToken => "invalid_token",
            Self::Unavailable => "unavailable",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_stands_at_its_own_number() {
        for (number, refusal) in Refusal::ALL.into_iter().enumerate() {
            assert_eq!(refusal as usize, number);
        }
    }
}
