//! A small OpenID issuer on loopback: discovery, a JWK set, and tokens for whoever a test wants to be.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

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
}

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
        let token = self.sign(&header, &claims);
        app.witness().keep_token(&token);
        token
    }

    /// Signs whatever it is given, with these members in the header; null takes one away.
    pub(crate) fn sign(&self, header: &Value, claims: &Value) -> String {
        let state = self.state();
        let header = merged(
            json!({"alg": "ES256", "typ": "JWT", "kid": state.kid}),
            header.clone(),
        );
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&header), part(claims));
        let signature = state
            .key
            .sign(&SystemRandom::new(), signed.as_bytes())
            .unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
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

fn answer(mut connection: TcpStream, address: SocketAddr, state: &mut State) {
    if state.mood == Mood::Down {
        return;
    }
    let mut line = String::new();
    let mut reader = BufReader::new(connection.try_clone().unwrap());
    let _ = reader.read_line(&mut line);
    let mut header = String::new();
    while reader.read_line(&mut header).is_ok_and(|read| read > 2) {
        header.clear();
    }
    let base = url(address);
    let path = line.split(' ').nth(1).unwrap_or_default();
    let body = match path {
        "/.well-known/openid-configuration" if state.mood == Mood::Redirects => None,
        "/.well-known/openid-configuration" | "/moved" => {
            let issuer = match state.mood {
                Mood::Pretends => "https://another.example.com",
                _ => base.as_str(),
            };
            Some(json!({"issuer": issuer, "jwks_uri": format!("{base}/keys")}))
        }
        "/keys" => {
            state.asked += 1;
            let point = state.key.public_key().as_ref();
            let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
            Some(json!({"keys": [{
                "kty": "EC", "crv": "P-256", "x": part(&point[1..33]), "y": part(&point[33..]), "kid": state.kid,
                "alg": "ES256", "use": "sig",
            }]}))
        }
        _ => None,
    };
    let _ = match body {
        Some(body) => {
            let body = body.to_string();
            write!(
                connection,
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            )
        }
        None => write!(
            connection,
            "HTTP/1.1 302 Found\r\nLocation: {base}/moved\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        ),
    };
}
