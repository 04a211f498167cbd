//! The providers of this deployment by name.

use std::collections::BTreeMap;
use std::sync::Arc;

use thiserror::Error as ThisError;

use super::IdentityProvider;
use crate::domain::provider_name::ProviderName;

/// Every provider that keys can live at, and the one for keys that name none.
pub struct Providers {
    by_name: BTreeMap<ProviderName, Arc<dyn IdentityProvider>>,
    default: ProviderName,
}

/// The list of providers cannot be used.
#[derive(Clone, Debug, ThisError, PartialEq, Eq)]
pub enum RegistryError {
    /// Two of one name.
    #[error("two identity providers are named {0}")]
    Doubled(ProviderName),
    /// The default is none of them.
    #[error("the default identity provider {0} is not configured")]
    NoDefault(ProviderName),
}

impl Providers {
    /// All of `providers`; keys that name none live at `default`.
    ///
    /// # Errors
    /// See [`RegistryError`].
    pub fn new(
        providers: impl IntoIterator<Item = Arc<dyn IdentityProvider>>,
        default: ProviderName,
    ) -> Result<Self, RegistryError> {
        let mut by_name: BTreeMap<ProviderName, Arc<dyn IdentityProvider>> = BTreeMap::new();
        for provider in providers {
            let name = provider.name().clone();
            if by_name.insert(name.clone(), provider).is_some() {
                return Err(RegistryError::Doubled(name));
            }
        }
        if by_name.contains_key(&default) {
            Ok(Self { by_name, default })
        } else {
            Err(RegistryError::NoDefault(default))
        }
    }

    /// The provider of this name.
    pub fn find(&self, name: &ProviderName) -> Option<&Arc<dyn IdentityProvider>> {
        self.by_name.get(name)
    }

    /// Where keys live that name no provider.
    pub fn default_name(&self) -> &ProviderName {
        &self.default
    }

    /// The place of a provider among all, which stands for its name where memory is counted.
    pub fn index(&self, name: &ProviderName) -> Option<u8> {
        self.by_name
            .keys()
            .position(|known| known == name)
            .and_then(|index| u8::try_from(index).ok())
    }

    /// The provider at a place that [`Self::index`] told.
    pub fn at(&self, index: u8) -> Option<&Arc<dyn IdentityProvider>> {
        self.by_name.values().nth(usize::from(index))
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<dyn IdentityProvider>> {
        self.by_name.values()
    }
}
