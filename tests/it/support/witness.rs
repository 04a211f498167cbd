//! Remembers every secret that went over the wire in a test, and looks for it where none may be: in the logs, the metrics and the
//! database. Every test that starts an application is thereby a canary test.

use std::collections::HashMap;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};

use super::transcript::Answer;

/// The secrets of one test.
#[derive(Clone, Default)]
pub(crate) struct Witness(Arc<Mutex<Vec<String>>>);

impl Witness {
    /// Remembers a secret.
    pub(crate) fn keep(&self, secret: &str) {
        // What is shorter could be anywhere by chance.
        if secret.len() >= 16 {
            lock(&self.0).push(secret.to_owned());
        }
    }

    /// Remembers the secrets that an answer shows.
    pub(crate) fn keep_secrets_of(&self, answer: &Answer) {
        if let Some(key) = answer["key"].as_str() {
            self.keep_key(key);
        }
        if let Some(secret) = answer["client_secret"].as_str() {
            self.keep(secret);
        }
        if let Some(token) = answer["access_token"].as_str() {
            self.keep_token(token);
        }
    }

    /// Remembers a key: the whole and its password alone. The user name is no secret.
    pub(crate) fn keep_key(&self, key: &str) {
        self.keep(key);
        let password = key.split_once('_').and_then(|(_, rest)| rest.get(28..71));
        self.keep(password.expect("a whole key"));
    }

    /// Remembers a token by its signature.
    pub(crate) fn keep_token(&self, token: &str) {
        self.keep(token.rsplit('.').next().unwrap_or(token));
    }

    /// All that is remembered.
    pub(crate) fn secrets(&self) -> Vec<String> {
        lock(&self.0).clone()
    }

    /// Fails if one of them is in `haystack`.
    pub(crate) fn assert_absent(&self, haystack: &[u8], place: &str) {
        let secrets = self.secrets();
        let forms = secrets
            .iter()
            .cloned()
            .chain(secrets.iter().map(|secret| hex(secret)));
        let found = Needles::new(forms).found_in(haystack);
        assert_eq!(
            found, 0,
            "{found} times a secret of this test is in {place}"
        );
    }
}

/// How PostgreSQL writes bytes as text.
fn hex(secret: &str) -> String {
    secret.bytes().map(|byte| format!("{byte:02x}")).collect()
}

/// Many texts that are looked for at once, each by its first eight bytes: one after the other they would take minutes.
struct Needles {
    by_start: HashMap<u64, Vec<Vec<u8>>>,
    /// Whether any start ends with these two bytes, which is soon told.
    endings: Vec<bool>,
}

impl Needles {
    fn new(needles: impl Iterator<Item = String>) -> Self {
        let mut by_start: HashMap<u64, Vec<Vec<u8>>> = HashMap::new();
        let mut endings = vec![false; 1 << 16];
        for needle in needles {
            let start = needle
                .bytes()
                .take(8)
                .fold(0, |start, byte| start << 8 | u64::from(byte));
            endings[usize::from(start as u16)] = true;
            by_start.entry(start).or_default().push(needle.into_bytes());
        }
        Self { by_start, endings }
    }

    fn found_in(&self, haystack: &[u8]) -> usize {
        let mut found = 0;
        let mut window: u64 = 0;
        for (index, byte) in haystack.iter().enumerate() {
            window = window << 8 | u64::from(*byte);
            if index < 7 || !self.endings[usize::from(window as u16)] {
                continue;
            }
            let needles = self.by_start.get(&window).into_iter().flatten();
            let rest = &haystack[index - 7..];
            found += needles.filter(|needle| rest.starts_with(needle)).count();
        }
        found
    }
}

/// An output that keeps what is written.
#[derive(Clone, Default)]
pub(crate) struct Captured(Arc<Mutex<Vec<u8>>>);

impl Captured {
    /// What was written up to now.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.bytes_from(0)
    }

    /// What was written from this place on.
    pub(crate) fn bytes_from(&self, place: usize) -> Vec<u8> {
        lock(&self.0)[place..].to_vec()
    }

    /// How much was written up to now.
    pub(crate) fn length(&self) -> usize {
        lock(&self.0).len()
    }

    /// The lines up to now that are JSON.
    pub(crate) fn lines(&self) -> Vec<serde_json::Value> {
        self.bytes()
            .split(|byte| *byte == b'\n')
            .filter_map(|line| serde_json::from_slice(line).ok())
            .collect()
    }
}

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        lock(&self.0).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The events of this process, of whatever level: one capture for all tests, since a process has one subscriber.
pub(crate) fn events() -> Captured {
    static INSTALLED: Once = Once::new();
    static EVENTS: Mutex<Option<Captured>> = Mutex::new(None);
    let captured = lock(&EVENTS).get_or_insert_default().clone();
    let output = captured.clone();
    INSTALLED.call_once(move || {
        tracing_subscriber::fmt()
            .json()
            .with_max_level(tracing::Level::DEBUG)
            .with_writer(move || output.clone())
            .init();
    });
    captured
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[test]
fn a_secret_is_found_wherever_it_is() {
    let witness = Witness::default();
    witness.keep("0123456789abcdefghij");
    for (haystack, found) in [
        ("0123456789abcdefghij", 1),
        ("x0123456789abcdefghijx0123456789abcdefghij", 2),
        ("0123456789abcdefghi", 0),
        ("012345670123456789abcdefghij", 1),
        ("30313233343536373839616263646566676869 6a", 0),
        ("303132333435363738396162636465666768696a", 1),
        ("", 0),
    ] {
        let forms = witness
            .secrets()
            .into_iter()
            .flat_map(|secret| [hex(&secret), secret]);
        assert_eq!(
            Needles::new(forms).found_in(haystack.as_bytes()),
            found,
            "{haystack}"
        );
    }
}
