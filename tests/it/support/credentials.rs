//! Who sends a request: the type is the credential.

use super::test_app::TestApp;

/// Something that lets a request in.
pub(crate) trait Credential {
    /// The header that carries it.
    fn header(&self, app: &TestApp) -> Option<(&'static str, String)>;
}

/// Nobody in particular.
pub(crate) struct Anonymous;

/// The deployment's operator, with every scope of the management API.
pub(crate) struct Operator;

/// The operator with a token for these scopes alone.
pub(crate) struct OperatorWith<'a>(pub(crate) &'a str);

/// The holder of an API key.
pub(crate) struct Key<'a>(pub(crate) &'a str);

/// The bearer of a token.
pub(crate) struct Bearer<'a>(pub(crate) &'a str);

/// A client of the authorization server, by HTTP Basic.
pub(crate) struct Basic<'a>(pub(crate) &'a str, pub(crate) &'a str);

impl Credential for Basic<'_> {
    fn header(&self, _: &TestApp) -> Option<(&'static str, String)> {
        use base64::Engine as _;
        let pair = format!("{}:{}", self.0, self.1);
        let encoded = base64::engine::general_purpose::STANDARD.encode(pair);
        Some(("Authorization", format!("Basic {encoded}")))
    }
}

impl Credential for Anonymous {
    fn header(&self, _: &TestApp) -> Option<(&'static str, String)> {
        None
    }
}

impl Credential for Operator {
    fn header(&self, app: &TestApp) -> Option<(&'static str, String)> {
        Some((
            "Authorization",
            format!("Bearer {}", app.operator_token(None)),
        ))
    }
}

impl Credential for OperatorWith<'_> {
    fn header(&self, app: &TestApp) -> Option<(&'static str, String)> {
        Some((
            "Authorization",
            format!("Bearer {}", app.operator_token(Some(self.0))),
        ))
    }
}

impl Credential for Key<'_> {
    fn header(&self, _: &TestApp) -> Option<(&'static str, String)> {
        Some(("X-API-Key", self.0.to_owned()))
    }
}

impl Credential for Bearer<'_> {
    fn header(&self, _: &TestApp) -> Option<(&'static str, String)> {
        Some(("Authorization", format!("Bearer {}", self.0)))
    }
}
