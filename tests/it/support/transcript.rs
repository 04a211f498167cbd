//! Requests and answers, so that a test reads as the transcript of what went over the wire.
//!
//! The client is a plain socket: what a test says is what is sent, a header twice if it says so, and what comes back is kept
//! byte by byte. Every answer is held against the conventions of the API before the test sees it, so each test is one of them too.

use std::fmt::Write as _;
use std::ops::Index;

use kagiya::http::code::Code;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::credentials::Credential;
use super::test_app::TestApp;

/// A request on its way.
#[must_use = "send it"]
pub(crate) struct Request<'a> {
    app: &'a TestApp,
    method: String,
    path: String,
    headers: Vec<(String, Vec<u8>)>,
    body: Option<Vec<u8>>,
}

impl<'a> Request<'a> {
    pub(super) fn new(app: &'a TestApp, method: &str, path: &str) -> Self {
        Self {
            app,
            method: method.to_owned(),
            path: path.to_owned(),
            headers: Vec::new(),
            body: None,
        }
    }

    /// Sent by whoever holds this credential.
    pub(crate) fn by(mut self, credential: &impl Credential) -> Self {
        if let Some((name, value)) = credential.header(self.app) {
            self.headers.push((name.to_owned(), value.into_bytes()));
        }
        self
    }

    /// Sent by the deployment's operator.
    pub(crate) fn operator(self) -> Self {
        self.by(&super::credentials::Operator)
    }

    /// With a header; once more if it is there already.
    pub(crate) fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers
            .push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    /// As a trusted proxy passes it on for this address.
    pub(crate) fn from(self, address: &str) -> Self {
        self.header("X-Forwarded-For", address)
    }

    /// With this `Idempotency-Key`.
    pub(crate) fn idempotency_key(self, key: &str) -> Self {
        self.app.witness().keep(key);
        self.header("Idempotency-Key", key)
    }

    /// With this `If-Match`.
    pub(crate) fn if_match(self, tag: &str) -> Self {
        self.header("If-Match", tag)
    }

    /// With a JSON body.
    pub(crate) fn json(self, body: Value) -> Self {
        self.body("application/json", body.to_string())
    }

    /// With a form.
    pub(crate) fn form(self, parameters: &[(&str, &str)]) -> Self {
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(parameters)
            .finish();
        self.body("application/x-www-form-urlencoded", body)
    }

    /// With a body of this type.
    pub(crate) fn body(self, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        self.header("Content-Type", content_type).untyped(body)
    }

    /// With a body and no word of its type.
    pub(crate) fn untyped(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// Sends it and waits for the answer.
    pub(crate) async fn send(self) -> Answer {
        let answer = self.send_to_anybody().await;
        answer.expect("the server closed the connection without an answer")
    }

    /// The same, where the server may be dying; `None` if it did.
    pub(crate) async fn send_to_anybody(self) -> Option<Answer> {
        let request = self.bytes();
        let bytes = exchange(self.app.address(), &request).await?;
        let answer = Answer::read(&bytes, format!("{} {}", self.method, self.path))?;
        self.app.witness().keep_secrets_of(&answer);
        answer.check_conventions();
        Some(answer)
    }

    /// Begins the request on a connection of its own; drop it to go away before the answer.
    pub(crate) async fn begin(self) -> TcpStream {
        let mut connection = TcpStream::connect(self.app.address()).await.unwrap();
        connection.write_all(&self.bytes()).await.unwrap();
        connection
    }

    fn bytes(&self) -> Vec<u8> {
        let (method, path) = (&self.method, &self.path);
        let mut bytes =
            format!("{method} {path} HTTP/1.1\r\nHost: kagiya.test\r\nConnection: close\r\n")
                .into_bytes();
        for (name, value) in &self.headers {
            bytes.extend_from_slice(name.as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value);
            bytes.extend_from_slice(b"\r\n");
        }
        if let Some(body) = &self.body {
            bytes.extend_from_slice(format!("Content-Length: {}\r\n", body.len()).as_bytes());
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(self.body.as_deref().unwrap_or_default());
        bytes
    }
}

/// Sends bytes and reads to the end; `None` if nothing came back.
async fn exchange(address: std::net::SocketAddr, request: &[u8]) -> Option<Vec<u8>> {
    let mut connection = TcpStream::connect(address).await.ok()?;
    // The server may answer, and close, before it has read a body that is too long.
    let _ = connection.write_all(request).await;
    let mut answer = Vec::new();
    let _ = connection.read_to_end(&mut answer).await;
    (!answer.is_empty()).then_some(answer)
}

/// What came back.
#[derive(Clone)]
pub(crate) struct Answer {
    /// Method and path, for whoever reads a failure.
    request: String,
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    json: Value,
}

impl Answer {
    fn read(bytes: &[u8], request: String) -> Option<Self> {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let mut lines = head.split("\r\n");
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let body = bytes[end + 4..].to_vec();
        let chunked = headers
            .iter()
            .any(|(name, _)| name.as_str() == "transfer-encoding");
        assert!(
            !chunked,
            "{request}: every answer is short enough to have a length"
        );
        let json = serde_json::from_slice(&body).unwrap_or(Value::Null);
        Some(Self {
            request,
            status,
            headers,
            body,
            json,
        })
    }

    /// Fails with the whole answer unless the status is this.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.transcript());
        self
    }

    /// Fails unless it is the problem of this code, with the status that the table of codes gives it.
    #[track_caller]
    pub(crate) fn problem(self, code: &str) -> Self {
        assert_eq!(self.json["code"], code, "{}", self.transcript());
        let known = Code::ALL.iter().find(|known| known.as_str() == code);
        let status = known.expect("a code of the table").status().as_u16();
        self.expect(status)
    }

    /// Fails unless the problem names this field.
    #[track_caller]
    pub(crate) fn names(self, field: &str) -> Self {
        let fields = self.json["errors"].as_array().cloned().unwrap_or_default();
        let named = fields.iter().any(|error| error["field"] == field);
        assert!(named, "{field} is not named\n{}", self.transcript());
        self
    }

    /// The body.
    pub(crate) fn json(&self) -> &Value {
        &self.json
    }

    /// A member of the body that is a text.
    #[track_caller]
    pub(crate) fn text(&self, member: &str) -> String {
        let text = self.json[member].as_str();
        text.unwrap_or_else(|| panic!("{member} is no text\n{}", self.transcript()))
            .to_owned()
    }

    /// The header, if it is there once.
    #[track_caller]
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self
            .headers
            .iter()
            .filter(|(header, _)| header.eq_ignore_ascii_case(name));
        let value = values.next().map(|(_, value)| value.as_str());
        assert!(values.next().is_none(), "{name} is there twice");
        value
    }

    /// The body with what is drawn at random replaced by what it is.
    pub(crate) fn redacted(&self) -> Value {
        super::redactions::redacted(&self.json)
    }

    /// The answer without its request id, to compare two.
    pub(crate) fn without_request_id(&self) -> (u16, Vec<(String, String)>, String) {
        let id = self.header("x-request-id").unwrap_or_default().to_owned();
        let headers = self
            .headers
            .iter()
            .filter(|(name, _)| name != "x-request-id" && name != "date")
            .cloned();
        let body = String::from_utf8_lossy(&self.body).replace(&id, "req_");
        (self.status, headers.collect(), body)
    }

    /// All of it, for a failure.
    pub(crate) fn transcript(&self) -> String {
        let mut text = format!("{}\n\n{}\n", self.request, self.status);
        for (name, value) in &self.headers {
            let _ = writeln!(text, "{name}: {value}");
        }
        let _ = write!(text, "\n{}", String::from_utf8_lossy(&self.body));
        text
    }

    /// What holds for every answer of this server.
    #[track_caller]
    fn check_conventions(&self) {
        let all = self.transcript();
        let id = self.header("x-request-id").unwrap_or_default();
        assert!(!id.is_empty(), "no request id\n{all}");
        assert_eq!(
            self.header("x-content-type-options"),
            Some("nosniff"),
            "{all}"
        );
        let is_page = self
            .header("content-type")
            .is_some_and(|kind| kind.starts_with("text/html"));
        // What pages load and where they lead may carry a policy too.
        let of_pages = self.request.contains(" /dashboard") || self.request.ends_with(" /");
        if is_page || !of_pages {
            assert_eq!(
                self.header("content-security-policy").is_some(),
                is_page,
                "{all}"
            );
        }
        assert!(self.header("server").is_none(), "{all}");
        assert!(self.status < 500 || self.status == 503, "a defect\n{all}");
        let is_oauth = self.request.contains(" /oauth/");
        if self.status >= 400 && is_oauth {
            self.check_oauth_error(&all);
        } else if self.status >= 400
            && !is_page
            && self.header("content-type") != Some("application/json")
        {
            self.check_problem(id, &all);
        }
        match self.status {
            401 => assert!(self.header("www-authenticate").is_some(), "{all}"),
            405 => assert!(self.header("allow").is_some(), "{all}"),
            429 | 503 if self.request != "GET /readyz" => {
                let wait = self
                    .header("retry-after")
                    .and_then(|wait| wait.parse().ok());
                assert!(wait.is_some_and(|wait: u32| wait > 0), "{all}");
            }
            _ => {}
        }
        let shows = ["key", "access_token", "client_secret"];
        if shows.iter().any(|member| self.json[member].is_string()) {
            assert_eq!(self.header("cache-control"), Some("no-store"), "{all}");
        }
    }

    /// RFC 6749 §5.2, as the contract wants it.
    #[track_caller]
    fn check_oauth_error(&self, all: &str) {
        assert_eq!(
            self.header("content-type"),
            Some("application/json"),
            "{all}"
        );
        assert_eq!(self.header("cache-control"), Some("no-store"), "{all}");
        assert_eq!(self.header("pragma"), Some("no-cache"), "{all}");
        let members = self.json.as_object().map(|members| members.len());
        assert_eq!(members, Some(2), "{all}");
        for member in ["error", "error_description"] {
            let text = self.json[member].as_str().unwrap_or_default();
            let safe = |byte: u8| matches!(byte, 0x20..=0x21 | 0x23..=0x5B | 0x5D..=0x7E);
            assert!(!text.is_empty() && text.bytes().all(safe), "TOK-13\n{all}");
        }
    }

    /// Fails unless it is this error of an OAuth endpoint, with the status that goes with it.
    #[track_caller]
    pub(crate) fn oauth_error(self, error: &str) -> Self {
        assert_eq!(self.json["error"], error, "{}", self.transcript());
        let status = match error {
            "invalid_client" => 401,
            "temporarily_unavailable" => 503,
            _ => 400,
        };
        self.expect(status)
    }

    /// RFC 9457, as the contract wants it.
    #[track_caller]
    fn check_problem(&self, id: &str, all: &str) {
        let problem = &self.json;
        assert_eq!(
            self.header("content-type"),
            Some("application/problem+json"),
            "{all}"
        );
        assert_eq!(problem["status"], self.status, "{all}");
        assert_eq!(problem["request_id"], id, "{all}");
        let code = problem["code"].as_str().unwrap_or_default();
        assert_eq!(
            problem["type"],
            format!("urn:kagiya:problem:{code}"),
            "{all}"
        );
        let known = Code::ALL.iter().find(|known| known.as_str() == code);
        let known = known.unwrap_or_else(|| panic!("an unknown code\n{all}"));
        assert_eq!(known.status().as_u16(), self.status, "{all}");
        assert_eq!(problem["title"], known.title(), "{all}");
        assert!(
            problem["detail"]
                .as_str()
                .is_some_and(|detail| !detail.is_empty()),
            "{all}"
        );
        assert_eq!(self.header("cache-control"), Some("no-store"), "{all}");
    }
}

impl Index<&str> for Answer {
    type Output = Value;

    fn index(&self, member: &str) -> &Value {
        &self.json[member]
    }
}
