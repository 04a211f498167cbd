//! The Admin REST API of one realm, as one client or one person uses it.
//!
//! A token that is refused is replaced once. What is wrong with the way in is told apart from what is wrong with a single call, and
//! neither is ever taken for a user that is not there.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use reqwest::Method;
use serde_json::Value;
use url::Url;

use crate::domain::clock::Clock;
use crate::domain::secret::SecretText;
use crate::idp::api::{Api, Complaint, Purpose, Repeat};
use crate::idp::entrance::Entrance;
use crate::idp::outbound::{Body, Call, Credential, Reply};
use crate::idp::tokens::ManagementToken;
use crate::idp::{AdminCredentials, Error};

/// Who uses the API.
enum Who {
    /// A client of the realm itself, with a service account.
    Client(Entrance),
    /// An administrator of the server, for the set-up.
    Administrator(AdminCredentials),
}

/// The API.
pub(super) struct Admin {
    api: Api,
    /// `…/admin/realms/REALM`
    base: String,
    /// Where its tokens come from.
    token_url: String,
    who: Who,
    token: ManagementToken,
    writes: AtomicUsize,
}

impl Admin {
    /// As a client of the realm uses it.
    pub(super) fn new(
        api: Api,
        (server, realm): (&str, &str),
        client: Entrance,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            api,
            base: format!("{server}/admin/realms/{realm}"),
            token_url: format!("{server}/realms/{realm}/protocol/openid-connect/token"),
            who: Who::Client(client),
            token: ManagementToken::new(clock),
            writes: AtomicUsize::new(0),
        }
    }

    /// As an administrator of the server uses it: one of the realm `master`.
    pub(super) fn of_administrator(
        api: Api,
        (server, realm): (&str, &str),
        credentials: AdminCredentials,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            api,
            base: format!("{server}/admin/realms/{realm}"),
            token_url: format!("{server}/realms/master/protocol/openid-connect/token"),
            who: Who::Administrator(credentials),
            token: ManagementToken::new(clock),
            writes: AtomicUsize::new(0),
        }
    }

    /// Whether the realm is there.
    pub(super) async fn realm_exists(&self) -> Result<bool, Error> {
        let reply = self.send(Method::GET, "", None, Repeat::Safe).await?;
        match reply.status {
            404 => Ok(false),
            _ => self.done("the realm", &reply).map(|()| true),
        }
    }

    /// Makes the realm.
    pub(super) async fn make_realm(&self, body: &Value) -> Result<(), Error> {
        // Beside where everything else is, since the realm is not there yet.
        let realms = self.base.rsplit_once('/').map_or("", |(realms, _)| realms);
        self.writes.fetch_add(1, Ordering::SeqCst);
        let token = self.token.get(async || self.fetch_token().await).await?;
        let call = Call {
            method: Method::POST,
            place: place(realms)?,
            credential: Credential::Bearer(&token),
            header: None,
            body: Body::Json(body),
        };
        let reply = self
            .api
            .call(&call, Purpose::Management, Repeat::Never)
            .await?;
        // A token that was made before knows nothing of the new realm.
        self.token.drop_it(&token).await;
        self.done("the realm", &reply)
    }

    /// How many calls that change something were made.
    pub(super) fn writes(&self) -> usize {
        self.writes.load(Ordering::SeqCst)
    }

    /// What is at a path; `None`: nothing is.
    pub(super) async fn get(&self, path: &str) -> Result<Option<Value>, Error> {
        let reply = self.send(Method::GET, path, None, Repeat::Safe).await?;
        match reply.status {
            // A wrong path or a realm that is not there is no answer to what was asked.
            404 if Complaint::of(&reply).code.starts_with("Realm") => Err(refused(path, &reply)),
            404 => Ok(None),
            _ => Ok(Some(self.read(path, &reply)?)),
        }
    }

    /// A list, all pages of it.
    pub(super) async fn list(&self, path: &str) -> Result<Vec<Value>, Error> {
        const PAGE: usize = 100;
        let separator = if path.contains('?') { '&' } else { '?' };
        let mut all = Vec::new();
        loop {
            let page = format!("{path}{separator}first={}&max={PAGE}", all.len());
            let Some(Value::Array(mut items)) = self.get(&page).await? else {
                return Ok(all);
            };
            let last = items.len() < PAGE;
            all.append(&mut items);
            if last {
                return Ok(all);
            }
        }
    }

    /// A list that has no pages.
    pub(super) async fn whole(&self, path: &str) -> Result<Vec<Value>, Error> {
        match self.get(path).await? {
            Some(Value::Array(items)) => Ok(items),
            _ => Ok(Vec::new()),
        }
    }

    /// Changes something; doing it twice is doing it once.
    pub(super) async fn put(&self, path: &str, body: &Value) -> Result<Reply, Error> {
        self.send(Method::PUT, path, Some(body), Repeat::Safe).await
    }

    /// Adds something, of which there can be only one.
    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<Reply, Error> {
        self.send(Method::POST, path, Some(body), Repeat::Never)
            .await
    }

    /// Adds something; doing it twice is doing it once.
    pub(super) async fn add(&self, path: &str, body: &Value) -> Result<Reply, Error> {
        self.send(Method::POST, path, Some(body), Repeat::Safe)
            .await
    }

    /// Removes something; it need not be there.
    pub(super) async fn delete(&self, path: &str, body: Option<&Value>) -> Result<(), Error> {
        let reply = self.send(Method::DELETE, path, body, Repeat::Safe).await?;
        match reply.status {
            404 if Complaint::of(&reply).code.starts_with("Realm") => Err(refused(path, &reply)),
            404 => Ok(()),
            _ => self.done(path, &reply),
        }
    }

    /// Whether a call was done, where nothing of its answer is of interest.
    pub(super) fn done(&self, path: &str, reply: &Reply) -> Result<(), Error> {
        if reply.is_success() {
            Ok(())
        } else {
            Err(refused(path, reply))
        }
    }

    fn read(&self, path: &str, reply: &Reply) -> Result<Value, Error> {
        self.done(path, reply)?;
        reply.json().ok_or_else(|| {
            Error::unavailable(format!(
                "{path}: the answer of {} is not JSON",
                reply.status
            ))
        })
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        repeat: Repeat,
    ) -> Result<Reply, Error> {
        if method != Method::GET {
            self.writes.fetch_add(1, Ordering::SeqCst);
        }
        let token = self.token.get(async || self.fetch_token().await).await?;
        let reply = self.once(&method, path, body, (repeat, &token)).await?;
        if reply.status != 401 {
            return Ok(reply);
        }
        self.token.drop_it(&token).await;
        let token = self.token.get(async || self.fetch_token().await).await?;
        let reply = self.once(&method, path, body, (repeat, &token)).await?;
        if reply.status == 401 {
            return Err(refused(path, &reply));
        }
        Ok(reply)
    }

    async fn once(
        &self,
        method: &Method,
        path: &str,
        body: Option<&Value>,
        (repeat, token): (Repeat, &SecretText),
    ) -> Result<Reply, Error> {
        let call = Call {
            method: method.clone(),
            place: place(&format!("{}{path}", self.base))?,
            credential: Credential::Bearer(token),
            header: None,
            body: body.map_or(Body::None, Body::Json),
        };
        self.api.call(&call, Purpose::Management, repeat).await
    }

    async fn fetch_token(&self) -> Result<(SecretText, Duration), Error> {
        match &self.who {
            Who::Client(client) => self.token_of(&client.id, &client.secret()?).await,
            Who::Administrator(AdminCredentials::Client { id, secret }) => {
                self.token_of(id, secret).await
            }
            Who::Administrator(AdminCredentials::Token(token)) => {
                Ok((token.clone(), Duration::from_secs(3600)))
            }
            Who::Administrator(AdminCredentials::Password { username, password }) => {
                let form = [
                    ("grant_type", "password"),
                    ("client_id", "admin-cli"),
                    ("username", username),
                    ("password", password.expose()),
                ];
                self.token_by(Credential::None, &form).await
            }
        }
    }

    async fn token_of(
        &self,
        id: &str,
        secret: &SecretText,
    ) -> Result<(SecretText, Duration), Error> {
        let form = [("grant_type", "client_credentials")];
        self.token_by(Credential::Basic(id, secret), &form).await
    }

    async fn token_by(
        &self,
        credential: Credential<'_>,
        form: &[(&str, &str)],
    ) -> Result<(SecretText, Duration), Error> {
        let call = Call {
            method: Method::POST,
            place: place(&self.token_url)?,
            credential,
            header: None,
            body: Body::Form(form),
        };
        let reply = self
            .api
            .call(&call, Purpose::Management, Repeat::Safe)
            .await?;
        let body = self.read("the token of the administration", &reply)?;
        let token = body["access_token"].as_str();
        let lifetime = body["expires_in"].as_u64().unwrap_or(60);
        let token = token.ok_or_else(|| Error::unavailable("an answer without access_token"))?;
        Ok((
            SecretText::new(token.to_owned()),
            Duration::from_secs(lifetime),
        ))
    }
}

/// A part of a path: whatever it holds, it stays one.
pub(super) fn part(text: &str) -> String {
    let mut coded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            coded.push(char::from(byte));
        } else {
            coded.push_str(&format!("%{byte:02X}"));
        }
    }
    coded
}

/// Where something is.
pub(super) fn place(text: &str) -> Result<Url, Error> {
    text.parse().map_err(|_| Error::Refused {
        reason: format!("{text} is no URL"),
    })
}

/// The refusal that an answer is.
pub(super) fn refused(what: &str, reply: &Reply) -> Error {
    Error::Refused {
        reason: Complaint::of(reply).reason(what, reply.status),
    }
}

/// The last part of where something was made. The rest of it follows the request's Host header.
pub(super) fn made_id(what: &str, reply: &Reply) -> Result<String, Error> {
    if reply.status != 201 {
        return Err(refused(what, reply));
    }
    let location = reply
        .headers
        .get("location")
        .and_then(|at| at.to_str().ok());
    let id = location.and_then(|at| at.rsplit('/').next());
    id.filter(|id| !id.is_empty())
        .map(str::to_owned)
        .ok_or_else(|| Error::unavailable(format!("{what}: made, and it does not say where")))
}
