//! The grant `client_credentials` (RFC 6749 §4.4): a client gets a token for itself, with what it asks for of what it holds now.
//!
//! A remembered client takes no I/O. There is no refresh token (§4.4.3): the client comes again.

use std::sync::Arc;

use super::{GrantRefusal, GrantRequest, GrantedToken, NewToken, narrow, target};
use crate::broker::{Broker, Client};

impl Broker {
    /// A token for the client itself, which has proven who it is.
    ///
    /// # Errors
    /// See [`GrantRefusal`].
    pub fn client_credentials(
        &self,
        client: &Client,
        request: GrantRequest<'_>,
    ) -> Result<GrantedToken, GrantRefusal> {
        let resource = request.resource.filter(|resource| !resource.is_empty());
        let grant = target(client.policy(), resource, client.default_resource())?;
        let asked = request.scope.filter(|scope| !scope.is_empty());
        let asked = asked
            .map(|scope| narrow(&grant.scopes, scope))
            .transpose()?;
        let id = client.id();
        let organization = client.organization_id();
        let may_act = self.may_act_claim(client.may_act());
        let now = self.now();
        let new = NewToken {
            sub: id.as_str(),
            client_id: id.as_str(),
            resource: &grant.resource,
            scopes: asked.as_ref().unwrap_or(&grant.scopes),
            last_second: None,
            org_id: organization.as_ref().map(|id| id.as_str()),
            owner: None,
            generation: None,
            family: None,
            act: None,
            may_act: may_act.as_ref(),
            metadata: &[],
        };
        let signed = self.sign(&new, now)?;
        self.metrics.client_credentials_granted();
        Ok(GrantedToken {
            access_token: signed.token,
            expires_in: signed.exp - now.as_second(),
            scope: match asked {
                None => Arc::clone(&grant.scope),
                Some(asked) => asked.to_string().into(),
            },
        })
    }
}
