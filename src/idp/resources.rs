//! Resources and their permissions, as a provider is told of them.

use crate::domain::resource::ResourceIdentifier;
use crate::domain::scope::ScopeToken;

/// A resource as it is here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceState {
    /// The audience.
    pub identifier: ResourceIdentifier,
    /// What people call it.
    pub name: Option<String>,
    /// How long its tokens live, in seconds.
    pub token_lifetime: u32,
    /// Its permissions by name, with what they let do.
    pub permissions: Vec<(ScopeToken, Option<String>)>,
}

/// What a provider was told of a resource before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Carried {
    /// Whether it was made there for us: then it goes whole when it goes here.
    pub made: bool,
    /// The permissions that it was told of: of those that are here no more, each goes.
    pub permissions: Vec<ScopeToken>,
}

/// A resource that exists at a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundResource {
    /// Its identifier there; it need not be one that we can have.
    pub identifier: String,
    /// What people call it.
    pub name: Option<String>,
    /// Its permissions, with what they let do.
    pub permissions: Vec<(String, Option<String>)>,
}
