//! An organization as people name it on the command line: by its id or by its slug.

use std::str::FromStr;

use thiserror::Error;

use super::Failure;
use super::client::Client;
use crate::domain::id::OrganizationId;
use crate::domain::organization::Slug;

/// An id or a slug; the two cannot be mistaken, since a slug has no `_`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrganizationName {
    /// `org_…`.
    Id(OrganizationId),
    /// The short name.
    Slug(Slug),
}

/// The text is neither.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("must be an organization's id, org_…, or its slug: lower-case letters, digits and hyphens")]
pub struct ParseOrganizationNameError;

impl FromStr for OrganizationName {
    type Err = ParseOrganizationNameError;

    fn from_str(text: &str) -> Result<Self, ParseOrganizationNameError> {
        let id = text.parse().map(Self::Id).ok();
        id.or_else(|| text.parse().map(Self::Slug).ok())
            .ok_or(ParseOrganizationNameError)
    }
}

impl OrganizationName {
    /// Its id, asked of the server where only the slug is known.
    ///
    /// # Errors
    /// No organization has that slug.
    pub(super) async fn id(&self, client: &Client) -> Result<String, Failure> {
        let slug = match self {
            Self::Id(id) => return Ok(id.to_string()),
            Self::Slug(slug) => slug.as_str(),
        };
        let all = client
            .list("/v1/organizations", &[], u32::MAX, |_| ())
            .await?;
        all.items
            .iter()
            .find(|organization| organization["slug"] == slug)
            .and_then(|organization| organization["id"].as_str())
            .map(str::to_owned)
            .ok_or_else(|| Failure::Refused {
                code: "not_found".to_owned(),
                detail: format!("no organization has the slug {slug}"),
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_organization_goes_by_id_or_slug() {
        let id = format!("org_{}", "a".repeat(26));
        assert!(matches!(id.parse(), Ok(OrganizationName::Id(_))));
        assert!(matches!("cart".parse(), Ok(OrganizationName::Slug(_))));
        for wrong in ["", "org_short", "Cart", "-cart"] {
            assert_eq!(
                wrong.parse::<OrganizationName>(),
                Err(ParseOrganizationNameError)
            );
        }
    }
}
