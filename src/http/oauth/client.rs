//! Who asks at an OAuth endpoint: the client's credentials as they are sent (RFC 6749 §2.3, RFC 7523 §2.2), one method a request.

use std::sync::Arc;

use actix_web::http::header::{AUTHORIZATION, HeaderMap};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::error::Error;
use super::parameters::Parameters;
use crate::broker::{Broker, Client, ClientCredentials, ClientRefusal};
use crate::http::facts::Facts;
use crate::http::form;
use crate::http::header;
use crate::http::management::database;

/// The one type of assertion that is taken.
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Credentials as they were sent: nothing is proven. Without `Debug`.
pub enum Presented<'a> {
    /// None at all.
    None,
    /// HTTP Basic.
    Basic {
        /// The `client_id`, decoded.
        client_id: Zeroizing<String>,
        /// The secret, decoded.
        secret: Zeroizing<String>,
    },
    /// In the body.
    Post {
        /// The `client_id`.
        client_id: &'a str,
        /// The secret.
        secret: &'a str,
    },
    /// A signed assertion.
    Assertion {
        /// The `client_id`, where it is named beside.
        client_id: Option<&'a str>,
        /// The JWT.
        assertion: &'a str,
    },
}

impl<'a> Presented<'a> {
    /// Reads them.
    ///
    /// # Errors
    /// `invalid_request` for more than one method, or two names of the client; `invalid_client` for a header that is none of ours.
    pub fn read(headers: &HeaderMap, parameters: &'a Parameters) -> Result<Self, Error> {
        let basic = basic(headers)?;
        let client_id = parameters.one("client_id");
        let secret = parameters.one("client_secret");
        let assertion = parameters.one("client_assertion");
        let assertion_type = parameters.one("client_assertion_type");
        let methods = [basic.is_some(), secret.is_some(), assertion.is_some()];
        if methods.into_iter().filter(|used| *used).count() > 1 {
            return Err(Error::invalid_request(
                "use one way alone to authenticate the client",
            ));
        }
        if assertion.is_some() != assertion_type.is_some() {
            return Err(Error::invalid_request(
                "client_assertion and client_assertion_type go together",
            ));
        }
        if let Some((user, password)) = basic {
            if client_id.is_some_and(|named| *named != **user) {
                return Err(Error::invalid_request(
                    "client_id is not that of the Authorization header",
                ));
            }
            return Ok(Self::Basic {
                client_id: user,
                secret: password,
            });
        }
        if let Some(secret) = secret {
            let client_id = client_id.ok_or_else(|| {
                Error::invalid_request("client_id is missing beside client_secret")
            })?;
            return Ok(Self::Post { client_id, secret });
        }
        match assertion {
            None => Ok(Self::None),
            Some(_) if assertion_type != Some(ASSERTION_TYPE) => Err(Error::invalid_client()),
            Some(assertion) => Ok(Self::Assertion {
                client_id,
                assertion,
            }),
        }
    }

    /// Whether nobody says who he is.
    pub fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }

    fn credentials(&self) -> Option<ClientCredentials<'_>> {
        match self {
            Self::None => None,
            Self::Basic { client_id, secret } => {
                Some(ClientCredentials::Basic { client_id, secret })
            }
            Self::Post { client_id, secret } => Some(ClientCredentials::Post { client_id, secret }),
            Self::Assertion {
                client_id,
                assertion,
            } => Some(ClientCredentials::Assertion {
                client_id: *client_id,
                assertion,
            }),
        }
    }

    /// The client that they prove.
    ///
    /// # Errors
    /// `invalid_client`, 429, `unauthorized_client` for one that may not come from here, 503.
    pub async fn authenticate(&self, broker: &Broker, facts: &Facts) -> Result<Arc<Client>, Error> {
        let credentials = self.credentials().ok_or_else(Error::invalid_client)?;
        let client = broker
            .authenticate_client(credentials, facts.client())
            .await
            .map_err(|refusal| refused(refusal, facts))?;
        facts.actor(client.id().as_str().into());
        if let Some(id) = client.organization_id() {
            facts.organization(id);
        }
        Ok(client)
    }
}

fn refused(refusal: ClientRefusal, facts: &Facts) -> Error {
    facts.reason(refusal.reason());
    match refusal {
        ClientRefusal::Unknown
        | ClientRefusal::WrongSecret
        | ClientRefusal::Method
        | ClientRefusal::Assertion(_)
        | ClientRefusal::Replayed
        | ClientRefusal::Disabled => Error::invalid_client().with_cause(refusal),
        ClientRefusal::AddressNotAllowed => Error::new(
            super::error::ErrorCode::UnauthorizedClient,
            "the client may not be used from this address",
        ),
        ClientRefusal::TooManyFailures(wait) => {
            Error::too_many("too many clients failed to prove who they are", wait)
        }
        ClientRefusal::Store(error) => database(error).into(),
    }
}

type UserAndPassword = (Zeroizing<String>, Zeroizing<String>);

/// User and password of HTTP Basic, each form-urlencoded within (RFC 6749 §2.3.1).
fn basic(headers: &HeaderMap) -> Result<Option<UserAndPassword>, Error> {
    let Some(value) = header::only(headers, &AUTHORIZATION)? else {
        return Ok(None);
    };
    let encoded = match value.split_once(' ') {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("basic") => rest.trim(),
        _ => return Err(Error::invalid_client()),
    };
    let decoded = STANDARD
        .decode(encoded)
        .map(Zeroizing::new)
        .map_err(|_| Error::invalid_client())?;
    let colon = decoded.iter().position(|byte| *byte == b':');
    let (user, password) = decoded.split_at(colon.ok_or_else(Error::invalid_client)?);
    let text = |part: &[u8]| {
        form::decode(part)
            .map(|text| Zeroizing::new(text.into_owned()))
            .map_err(|_| Error::invalid_client())
    };
    Ok(Some((text(user)?, text(&password[1..])?)))
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    fn of(header: &str) -> Option<(String, String)> {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, HeaderValue::from_str(header).unwrap());
        let found = basic(&headers).ok()??;
        Some((found.0.to_string(), found.1.to_string()))
    }

    fn encoded(text: &str) -> String {
        format!("Basic {}", STANDARD.encode(text))
    }

    #[test]
    fn tok_6_user_and_password_are_form_urlencoded_within_base64() {
        let pair = |user: &str, password: &str| Some((user.to_owned(), password.to_owned()));
        assert_eq!(of(&encoded("app_a:kgs_b")), pair("app_a", "kgs_b"));
        assert_eq!(of(&encoded("app%5Fa:kgs%5fb+c")), pair("app_a", "kgs_b c"));
        assert_eq!(of(&encoded("a:b:c")), pair("a", "b:c"));
        assert_eq!(of(&encoded(":")), pair("", ""));
        assert_eq!(
            of(&encoded("a:b").replace("Basic", "bAsIc")),
            pair("a", "b")
        );
    }

    #[test]
    fn what_is_no_basic_is_no_client() {
        for header in [
            "Basic",
            "Basic !",
            "Basic YWI=",
            "Bearer a",
            &encoded("nocolon"),
            &encoded("a:%zz"),
        ] {
            assert_eq!(of(header), None, "{header}");
        }
    }
}
