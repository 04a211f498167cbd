//! A line to another program that a test listens to and meddles with: an HTTP proxy in front of it, one request after the other.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A request that went over the line.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: String,
    /// With its query.
    pub(crate) path: String,
    pub(crate) body: String,
}

impl Seen {
    /// Whether it asks for a token.
    pub(crate) fn is_for_a_token(&self) -> bool {
        self.path.ends_with("/protocol/openid-connect/token") || self.path.ends_with("/oauth/token")
    }

    /// Whether it is a machine user's sign-in.
    pub(crate) fn is_sign_in(&self) -> bool {
        self.is_for_a_token() && !self.body.contains("client_credentials")
    }

    /// Whether it changes something.
    pub(crate) fn is_write(&self) -> bool {
        self.method != "GET" && !self.is_for_a_token()
    }
}

/// What becomes of a request.
pub(crate) enum Meddling {
    /// It is passed on.
    Pass,
    /// The connection is cut before it is.
    CutBefore,
    /// It is passed on and done, and the connection is cut.
    CutAfter,
    /// It is passed on and done; then this happens, and the connection is cut.
    DoneThen(Box<dyn FnOnce() + Send>),
    /// This is answered in place of what it is for.
    Answers(String),
    /// Its answer comes so much later.
    Late(Duration),
    /// There is never an answer.
    Hangs,
    /// An answer that comes a byte at a time and never ends.
    Drips,
}

/// An answer with a body and further lines of the head.
pub(crate) fn answers(status: &str, head: &str, body: &str) -> Meddling {
    Meddling::Answers(format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\n{head}Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    ))
}

type Meddler = Arc<dyn Fn(&Seen) -> Meddling + Send + Sync>;

/// The line. It is cut when it is dropped.
pub(crate) struct Line {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

struct State {
    seen: Vec<Seen>,
    meddler: Option<Meddler>,
    stopped: bool,
}

impl Line {
    /// To a program on this machine.
    pub(crate) fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State {
            seen: Vec::new(),
            meddler: None,
            stopped: false,
        }));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                if lock(&shared).stopped {
                    return;
                }
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || {
                    // Whoever went away needs no answer.
                    let _ = carry(connection, port, &shared);
                });
            }
        });
        Self { address, state }
    }

    /// Where it begins.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on this says what becomes of a request.
    pub(crate) fn meddle(&self, meddler: impl Fn(&Seen) -> Meddling + Send + Sync + 'static) {
        lock(&self.state).meddler = Some(Arc::new(meddler));
    }

    /// From now on all of it is passed on.
    pub(crate) fn works_again(&self) {
        lock(&self.state).meddler = None;
    }

    /// What went over it up to now, and from now on is forgotten.
    pub(crate) fn take_seen(&self) -> Vec<Seen> {
        std::mem::take(&mut lock(&self.state).seen)
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        lock(&self.state).stopped = true;
        let _ = TcpStream::connect(self.address);
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn carry(mut near: TcpStream, port: u16, state: &Mutex<State>) -> std::io::Result<()> {
    let Some(request) = read_request(&mut near)? else {
        return Ok(());
    };
    let meddler = {
        let mut state = lock(state);
        state.seen.push(request.seen.clone());
        state.meddler.clone()
    };
    let meddling = meddler.map_or(Meddling::Pass, |meddler| meddler(&request.seen));
    match meddling {
        Meddling::Pass => near.write_all(&ask(&request, port)?),
        Meddling::CutBefore => Ok(()),
        Meddling::CutAfter => ask(&request, port).map(drop),
        Meddling::DoneThen(then) => {
            ask(&request, port)?;
            then();
            Ok(())
        }
        Meddling::Answers(answer) => near.write_all(answer.as_bytes()),
        Meddling::Late(delay) => {
            let answer = ask(&request, port)?;
            std::thread::park_timeout(delay);
            near.write_all(&answer)
        }
        Meddling::Hangs => near.read_exact(&mut [0]),
        Meddling::Drips => {
            near.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n{")?;
            loop {
                near.write_all(b" ")?;
                std::thread::park_timeout(Duration::from_millis(50));
            }
        }
    }
}

struct Request {
    seen: Seen,
    /// As it is passed on.
    bytes: Vec<u8>,
}

fn read_request(near: &mut TcpStream) -> std::io::Result<Option<Request>> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        match near.read(&mut chunk)? {
            0 => return Ok(None),
            read => bytes.extend_from_slice(&chunk[..read]),
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim().parse::<usize>().ok())?
    });
    let mut body = bytes.split_off(end + 4);
    while body.len() < length.unwrap_or(0) {
        match near.read(&mut chunk)? {
            0 => return Ok(None),
            read => body.extend_from_slice(&chunk[..read]),
        }
    }
    let mut words = head.split(' ');
    let mut word = || words.next().unwrap_or_default().to_owned();
    let seen = Seen {
        method: word(),
        path: word(),
        body: String::from_utf8_lossy(&body).into_owned(),
    };
    let kept = head
        .lines()
        .filter(|line| !line.to_ascii_lowercase().starts_with("connection:"));
    let mut passed = kept.collect::<Vec<_>>().join("\r\n").into_bytes();
    passed.extend_from_slice(b"\r\nConnection: close\r\n\r\n");
    passed.extend_from_slice(&body);
    Ok(Some(Request {
        seen,
        bytes: passed,
    }))
}

/// The answer of the program, which says that the connection ends.
fn ask(request: &Request, port: u16) -> std::io::Result<Vec<u8>> {
    let mut far = TcpStream::connect(("127.0.0.1", port))?;
    far.write_all(&request.bytes)?;
    let mut answer = Vec::new();
    far.read_to_end(&mut answer)?;
    let line = answer.windows(2).position(|window| window == b"\r\n");
    if let Some(line) = line
        && !answer[..answer.len().min(2048)]
            .to_ascii_lowercase()
            .windows(17)
            .any(|window| window == b"connection: close")
    {
        answer.splice(line..line, b"\r\nConnection: close".iter().copied());
    }
    Ok(answer)
}
