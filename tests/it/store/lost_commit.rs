//! PostgreSQL's answer to a COMMIT gets lost on the way: what became of it is read again on a new connection.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::organization;
use crate::support::database::{Database, execute, number, open, postgres_url};

const PASS: u8 = 0;
/// The next COMMIT does not reach the server.
const CUT_BEFORE: u8 = 1;
/// The next COMMIT reaches the server, and its answer does not come back.
const CUT_AFTER: u8 = 2;

/// A wire to the server that can be cut.
struct Wire {
    port: u16,
    mood: Arc<AtomicU8>,
}

impl Wire {
    async fn to(server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let mood = Arc::new(AtomicU8::new(PASS));
        let moods = Arc::clone(&mood);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(&server).await.unwrap();
                tokio::spawn(carry(client, server, Arc::clone(&moods)));
            }
        });
        Self { port, mood }
    }
}

/// Carries bytes both ways until one end closes, or a COMMIT is cut off.
async fn carry(mut client: TcpStream, mut server: TcpStream, mood: Arc<AtomicU8>) {
    let (mut asked, mut answered) = (vec![0u8; 65536], vec![0u8; 65536]);
    loop {
        tokio::select! {
            read = client.read(&mut asked) => {
                let Ok(length @ 1..) = read else { return };
                let is_commit = asked[..length].windows(6).any(|text| text == b"COMMIT");
                let cut = if is_commit { mood.swap(PASS, Ordering::SeqCst) } else { PASS };
                if cut == CUT_BEFORE {
                    return;
                }
                server.write_all(&asked[..length]).await.unwrap();
                if cut == CUT_AFTER {
                    // The answer says that it is done.
                    let _ = server.read(&mut answered).await;
                    return;
                }
            }
            read = server.read(&mut answered) => {
                let Ok(length @ 1..) = read else { return };
                client.write_all(&answered[..length]).await.unwrap();
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_whose_answer_is_lost_is_told_as_it_is() {
    let Some(server) = postgres_url() else {
        return;
    };
    let database = Database::new();
    let address = server
        .split(['@', '/', '?'])
        .find(|part| part.contains(':') && part.contains('.'));
    let address = address.unwrap().to_owned();
    let wire = Wire::to(address.clone()).await;
    let url = database
        .url()
        .replace(&address, &format!("127.0.0.1:{}", wire.port));
    let store = open(&url).unwrap();
    for (mood, slug, stands) in [(CUT_AFTER, "after", true), (CUT_BEFORE, "before", false)] {
        let statement = organization(slug);
        wire.mood.store(mood, Ordering::SeqCst);
        let written = store
            .write(move |tx| execute(tx, &statement).map(drop))
            .await;
        assert_eq!(
            wire.mood.load(Ordering::SeqCst),
            PASS,
            "a COMMIT was cut off"
        );
        assert_eq!(written.is_ok(), stands, "{written:?}");
        let query = format!("SELECT count(*) AS number FROM organizations WHERE slug = '{slug}'");
        let there = database
            .store
            .read(move |connection| number(connection, &query))
            .await;
        assert_eq!(there.unwrap() == 1, stands);
    }
    store.close().await;
}
