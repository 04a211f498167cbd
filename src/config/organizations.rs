//! `[organizations]`: what a new organization gets that does not say.

use serde::Deserialize;

use super::layers::Section;
use crate::domain::permission::Permissions;
use crate::domain::resource::ResourceIdentifier;
use crate::domain::scope::ScopeToken;

/// The settings of new organizations.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Organizations {
    /// `default_permissions`: what a new organization may use that names no `permissions`, such as
    /// `[{ resource = "https://payment.example.com/api", scopes = ["read:payment"] }]`; what of it does not exist when the organization
    /// is made is left out. In the file alone. Default none: such an organization may use everything, what is added later included.
    pub default_permissions: Option<Vec<DefaultPermission>>,
}

/// Scopes at one resource.
#[derive(Clone, Debug, Deserialize)]
pub struct DefaultPermission {
    /// The resource's identifier.
    pub resource: ResourceIdentifier,
    /// Its scopes.
    pub scopes: Vec<ScopeToken>,
}

impl Organizations {
    /// All of them together.
    pub fn permissions(&self) -> Option<Permissions> {
        let pairs = |at: &DefaultPermission| {
            let resource = at.resource.clone();
            at.scopes
                .clone()
                .into_iter()
                .map(move |scope| (resource.clone(), scope))
        };
        let named = self.default_permissions.as_ref();
        named.map(|named| named.iter().flat_map(pairs).collect())
    }
}

impl Section for Organizations {
    const TABLE: Option<&'static str> = Some("organizations");
}
