//! A small OpenID issuer on loopback: discovery, a JWK set, tokens for whoever a test wants to be, and the authorization code flow with
//! PKCE, in which a test says what the person does at its page.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use kagiya::domain::secret::SecretText;

use super::signer::Signer;
use super::test_app::{MANAGEMENT, Setup, TestApp, merged};

/// The client whose access tokens are taken.
pub(crate) const CLIENT: &str = "kagiya-dashboard";

/// The issuer. It stops with the test.
pub(crate) struct OpenIdIssuer {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

struct State {
    key: EcdsaKeyPair,
    kid: String,
    mood: Mood,
    asked: usize,
    stopped: bool,
    /// Whether it says that it names itself in its answers (RFC 9207).
    names_itself: bool,
    codes: HashMap<String, Code>,
    /// What is told of whoever holds an access token.
    people: HashMap<String, Value>,
}

/// What a code can be traded for, once.
struct Code {
    challenge: String,
    redirect_uri: String,
    tokens: Value,
}

/// What came with a request.
struct Asked {
    path: String,
    authorization: String,
    body: Vec<u8>,
}

/// The secret of our client there.
pub(crate) const CLIENT_SECRET: &str = "the secret of the client of the dashboard";

/// How it answers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    /// As it should.
    Well,
    /// Not at all.
    Down,
    /// With a redirect to the right document.
    Redirects,
    /// As another issuer.
    Pretends,
}

impl OpenIdIssuer {
    /// Starts one.
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State {
            key: key(),
            kid: "first".to_owned(),
            mood: Mood::Well,
            asked: 0,
            stopped: false,
            names_itself: true,
            codes: HashMap::new(),
            people: HashMap::new(),
        }));
        let seen = Arc::clone(&state);
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                let mut state = seen.lock().unwrap_or_else(PoisonError::into_inner);
                if state.stopped {
                    return;
                }
                if let Ok(connection) = connection {
                    answer(connection, address, &mut state);
                }
            }
        });
        Self { address, state }
    }

    /// Its issuer identifier.
    pub(crate) fn url(&self) -> String {
        url(self.address)
    }

    /// An application where people sign in here, and these of them run the deployment.
    pub(crate) fn setup(&self, operators: &[&str]) -> Setup {
        let issuer = self.url();
        let operators: Vec<_> = operators
            .iter()
            .map(|sub| serde_json::from_value(json!({"iss": issuer, "sub": sub})).unwrap())
            .collect();
        TestApp::setup().config(|config| {
            config.sign_in.issuer = Some(issuer.try_into().unwrap());
            config.sign_in.client_id = Some(CLIENT.to_owned());
            config.sign_in.client_secret = Some(SecretText::new(CLIENT_SECRET.to_owned()));
            config.sign_in.operators = operators;
        })
    }

    /// From now on it answers so.
    pub(crate) fn is(&self, mood: Mood) {
        self.state().mood = mood;
    }

    /// Signs with another key from now on, and has no other.
    pub(crate) fn rotate(&self, kid: &str) {
        let mut state = self.state();
        state.key = key();
        state.kid = kid.to_owned();
    }

    /// Its key, to sign what it would not.
    pub(crate) fn signer(&self) -> Signer {
        let state = self.state();
        let pkcs8 = state.key.to_pkcs8v1().unwrap();
        Signer::es256_of(&state.kid, pkcs8.as_ref())
    }

    /// Whether it says that it names itself in its answers, and does.
    pub(crate) fn names_itself(&self, names_itself: bool) {
        self.state().names_itself = names_itself;
    }

    /// How often its JWK set was asked for.
    pub(crate) fn asked(&self) -> usize {
        self.state().asked
    }

    /// An access token for this person, good for five minutes.
    pub(crate) fn token(&self, app: &TestApp, sub: &str) -> String {
        self.token_with(app, sub, json!({}), json!({}))
    }

    /// One with other claims, and other members of the header; null takes one away.
    pub(crate) fn token_with(
        &self,
        app: &TestApp,
        sub: &str,
        claims: Value,
        header: Value,
    ) -> String {
        let now = app.now().as_second();
        let claims = merged(
            json!({
                "iss": self.url(), "sub": sub, "aud": [MANAGEMENT, "other"], "azp": CLIENT, "iat": now, "exp": now + 300,
                "scope": "openid",
            }),
            claims,
        );
        let token = signed(&self.state(), &claims, header);
        app.witness().keep_token(&token);
        token
    }

    /// Signs whatever it is given, with these members in the header; null takes one away.
    pub(crate) fn sign(&self, header: &Value, claims: &Value) -> String {
        signed(&self.state(), claims, header.clone())
    }

    /// What happens at its page: somebody who was sent to `location` signs in as `sub`, and is sent back to the path and query that are
    /// answered. `claims` are those of the ID token beside the usual ones, null takes one away; `about` is told beside it.
    pub(crate) fn authorize(
        &self,
        app: &TestApp,
        location: &str,
        sub: &str,
        (claims, about): (Value, Value),
    ) -> Callback {
        let url = url::Url::parse(location).unwrap();
        assert!(
            location.starts_with(&format!("{}/authorize?", self.url())),
            "{location}"
        );
        let asked: HashMap<String, String> = url.query_pairs().into_owned().collect();
        for (name, value) in [
            ("response_type", "code"),
            ("client_id", CLIENT),
            ("code_challenge_method", "S256"),
        ] {
            assert_eq!(asked[name], value, "{name}");
        }
        assert!(asked["scope"].split(' ').any(|scope| scope == "openid"));
        // Each is 256 bits, and no two attempts have one in common.
        for name in ["state", "nonce", "code_challenge"] {
            assert_eq!(asked[name].len(), 43, "{name}");
        }
        let now = app.now().as_second();
        let id = merged(
            json!({
                "iss": self.url(), "sub": sub, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": asked["nonce"],
            }),
            claims,
        );
        let access_token = self.token(app, sub);
        let mut state = self.state();
        let id_token = signed(&state, &id, json!({}));
        app.witness().keep_token(&id_token);
        state
            .people
            .insert(access_token.clone(), merged(json!({"sub": sub}), about));
        let code = format!("code-{}-{}", state.codes.len(), asked["state"]);
        app.witness().keep(&code);
        let tokens = json!({"access_token": access_token, "token_type": "Bearer", "expires_in": 300, "id_token": id_token});
        let kept = Code {
            challenge: asked["code_challenge"].clone(),
            redirect_uri: asked["redirect_uri"].clone(),
            tokens,
        };
        state.codes.insert(code.clone(), kept);
        let mut answer = vec![
            ("code".to_owned(), code),
            ("state".to_owned(), asked["state"].clone()),
        ];
        if state.names_itself {
            answer.push(("iss".to_owned(), self.url()));
        }
        Callback {
            path: url::Url::parse(&asked["redirect_uri"])
                .unwrap()
                .path()
                .to_owned(),
            answer,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// With what somebody is sent back.
#[derive(Clone)]
pub(crate) struct Callback {
    path: String,
    answer: Vec<(String, String)>,
}

impl Callback {
    /// With another value, or without one.
    pub(crate) fn with(mut self, name: &str, value: Option<&str>) -> Self {
        self.answer.retain(|(other, _)| other != name);
        self.answer
            .extend(value.map(|value| (name.to_owned(), value.to_owned())));
        self
    }

    /// With one more value.
    pub(crate) fn twice(mut self, name: &str) -> Self {
        let again = self.answer.iter().find(|(other, _)| other == name).cloned();
        self.answer.extend(again);
        self
    }

    /// The path and query.
    pub(crate) fn path(&self) -> String {
        let query = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(&self.answer)
            .finish();
        format!("{}?{query}", self.path)
    }
}

impl Drop for OpenIdIssuer {
    fn drop(&mut self) {
        self.state().stopped = true;
        let _ = TcpStream::connect(self.address);
    }
}

fn key() -> EcdsaKeyPair {
    let random = SystemRandom::new();
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref()).unwrap()
}

fn url(address: SocketAddr) -> String {
    format!("http://{address}")
}

fn signed(state: &State, claims: &Value, header: Value) -> String {
    let header = merged(
        json!({"alg": "ES256", "typ": "JWT", "kid": state.kid}),
        header,
    );
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(&header), part(claims));
    let signature = state
        .key
        .sign(&SystemRandom::new(), signed.as_bytes())
        .unwrap();
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
}

fn read(connection: &TcpStream) -> Asked {
    let mut reader = BufReader::new(connection.try_clone().unwrap());
    let mut line = String::new();
    let _ = reader.read_line(&mut line);
    let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let (mut authorization, mut length) = (String::new(), 0);
    let mut header = String::new();
    while reader.read_line(&mut header).is_ok_and(|read| read > 2) {
        let (name, value) = header.split_once(':').unwrap_or_default();
        match name.to_ascii_lowercase().as_str() {
            "authorization" => value.trim().clone_into(&mut authorization),
            "content-length" => length = value.trim().parse().unwrap_or(0),
            _ => {}
        }
        header.clear();
    }
    let mut body = vec![0; length];
    let _ = reader.read_exact(&mut body);
    Asked {
        path,
        authorization,
        body,
    }
}

fn answer(mut connection: TcpStream, address: SocketAddr, state: &mut State) {
    if state.mood == Mood::Down {
        return;
    }
    let asked = read(&connection);
    let base = url(address);
    let (status, body) = match asked.path.as_str() {
        "/.well-known/openid-configuration" if state.mood == Mood::Redirects => (302, Value::Null),
        "/.well-known/openid-configuration" | "/moved" => (200, discovery(&base, state)),
        "/keys" => {
            state.asked += 1;
            let point = state.key.public_key().as_ref();
            let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
            let keys = json!({"keys": [{
                "kty": "EC", "crv": "P-256", "x": part(&point[1..33]), "y": part(&point[33..]), "kid": state.kid,
                "alg": "ES256", "use": "sig",
            }]});
            (200, keys)
        }
        "/token" => match trade(state, &asked) {
            Ok(tokens) => (200, tokens),
            Err(error) => (400, json!({"error": error})),
        },
        "/userinfo" => {
            let token = asked.authorization.strip_prefix("Bearer ");
            match token.and_then(|token| state.people.get(token)) {
                Some(person) => (200, person.clone()),
                None => (401, json!({"error": "invalid_token"})),
            }
        }
        _ => (302, Value::Null),
    };
    let place = if status == 302 {
        format!("Location: {base}/moved\r\n")
    } else {
        String::new()
    };
    let body = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    let _ = write!(
        connection,
        "HTTP/1.1 {status} X\r\n{place}Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
}

fn discovery(base: &str, state: &State) -> Value {
    let issuer = match state.mood {
        Mood::Pretends => "https://another.example.com",
        _ => base,
    };
    json!({
        "issuer": issuer, "jwks_uri": format!("{base}/keys"), "authorization_endpoint": format!("{base}/authorize"),
        "token_endpoint": format!("{base}/token"), "userinfo_endpoint": format!("{base}/userinfo"),
        "authorization_response_iss_parameter_supported": state.names_itself,
    })
}

/// The token endpoint: the code once, from where it was sent, by our client, with the verifier of the attempt.
fn trade(state: &mut State, asked: &Asked) -> Result<Value, &'static str> {
    let fields: HashMap<String, String> = url::form_urlencoded::parse(&asked.body)
        .into_owned()
        .collect();
    let field = |name: &str| fields.get(name).map(String::as_str).unwrap_or_default();
    let encoded =
        |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let client = format!("{}:{}", encoded(CLIENT), encoded(CLIENT_SECRET));
    let client = base64::engine::general_purpose::STANDARD.encode(client);
    if asked.authorization != format!("Basic {client}") {
        return Err("invalid_client");
    }
    let code = state.codes.remove(field("code")).ok_or("invalid_grant")?;
    let digest = aws_lc_rs::digest::digest(
        &aws_lc_rs::digest::SHA256,
        field("code_verifier").as_bytes(),
    );
    let fits = field("grant_type") == "authorization_code"
        && field("redirect_uri") == code.redirect_uri
        && URL_SAFE_NO_PAD.encode(digest) == code.challenge;
    fits.then_some(code.tokens).ok_or("invalid_grant")
}
