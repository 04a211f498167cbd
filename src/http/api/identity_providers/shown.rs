//! An identity provider as it is shown: how it is used, what it has to know, what was found of it.

use serde::Serialize;
use utoipa::ToSchema;

use crate::broker::ShownProvider;
use crate::idp::setup::{Finding, Ground};

/// An identity provider.
#[derive(Serialize, ToSchema)]
#[schema(as = IdentityProvider, example = json!({
    "name": "corp", "default": true, "answer": "mint", "on_outage": "fail_closed",
}))]
pub struct ProviderBody {
    /// By which keys say that their user is there.
    name: String,
    /// Whether keys live there that name none.
    default: bool,
    /// `mint` or `passthrough`.
    answer: &'static str,
    /// `fail_closed` or `serve_last_known`.
    on_outage: &'static str,
}

impl From<ShownProvider> for ProviderBody {
    fn from(provider: ShownProvider) -> Self {
        Self {
            name: provider.name.to_string(),
            default: provider.default,
            answer: provider.policy.answer.as_str(),
            on_outage: match provider.policy.outlast {
                None => "fail_closed",
                Some(_) => "serve_last_known",
            },
        }
    }
}

/// What an identity provider has to know of this deployment.
#[derive(Serialize, ToSchema)]
#[schema(as = IdentityProviderGround)]
pub struct GroundBody {
    /// Its name here.
    name: String,
    /// The `iss` of assertions.
    issuer: String,
    /// Where the keys are by which they are checked.
    jwks_uri: String,
    /// Every resource with its permissions.
    resources: Vec<GroundResource>,
}

/// A resource as a provider is told of it.
#[derive(Serialize, ToSchema)]
pub(super) struct GroundResource {
    /// The audience.
    identifier: String,
    /// What people call it.
    #[schema(required)]
    name: Option<String>,
    /// How long its tokens live, in seconds.
    token_lifetime: u32,
    /// Its permissions.
    permissions: Vec<GroundPermission>,
}

/// A permission as a provider is told of it.
#[derive(Serialize, ToSchema)]
pub(super) struct GroundPermission {
    /// The scope.
    name: String,
    /// What it lets do.
    #[schema(required)]
    description: Option<String>,
}

impl GroundBody {
    pub(super) fn new(name: String, ground: Ground) -> Self {
        let resources = ground.resources.into_iter().map(|resource| GroundResource {
            identifier: resource.identifier.to_string(),
            name: resource.name,
            token_lifetime: resource.token_lifetime,
            permissions: resource
                .permissions
                .into_iter()
                .map(|(name, description)| GroundPermission {
                    name: name.to_string(),
                    description,
                })
                .collect(),
        });
        Self {
            name,
            issuer: ground.issuer,
            jwks_uri: ground.jwks_uri,
            resources: resources.collect(),
        }
    }
}

/// One thing that a provider must have.
#[derive(Serialize, ToSchema)]
#[schema(as = IdentityProviderFinding)]
pub struct FindingBody {
    /// Its name.
    check: &'static str,
    /// Whether it is there.
    ok: bool,
    /// What is wrong with it.
    #[schema(required)]
    detail: Option<String>,
    /// What to do about it.
    #[schema(required)]
    remedy: Option<&'static str>,
}

impl From<Finding> for FindingBody {
    fn from(finding: Finding) -> Self {
        Self {
            check: finding.check,
            ok: finding.wrong.is_none(),
            remedy: finding.wrong.is_some().then_some(finding.remedy),
            detail: finding.wrong,
        }
    }
}
