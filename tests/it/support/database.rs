//! A database for one test: a SQLite file in a temporary folder, or, if `KAGIYA_TEST_POSTGRES_URL` is set, a schema of its own on
//! that server. Gone when it is dropped.

use std::sync::atomic::{AtomicU32, Ordering};

use diesel::prelude::*;
use diesel::sql_types::BigInt;
use kagiya::domain::secret::SecretText;
use kagiya::store::{Connection, Error, Options, Store};
use tempfile::TempDir;

/// A place for a database, with a store open on it.
pub(crate) struct Database {
    pub(crate) store: Store,
    url: String,
    _place: Place,
}

enum Place {
    Folder { _folder: TempDir },
    Schema { _schema: Schema },
}

impl Database {
    /// With the tables and the row of the deployment, on PostgreSQL if the environment names one.
    pub(crate) fn new() -> Self {
        let database = Self::empty();
        database.store.migrate().unwrap();
        database.insert_deployment();
        database
    }

    /// The same without tables.
    pub(crate) fn empty() -> Self {
        match postgres_url() {
            Some(server) => Self::empty_on_postgres(&server),
            None => Self::empty_on_sqlite(),
        }
    }

    /// As [`Database::new`], on SQLite whatever the environment says.
    pub(crate) fn on_sqlite() -> Self {
        let database = Self::empty_on_sqlite();
        database.store.migrate().unwrap();
        database.insert_deployment();
        database
    }

    pub(crate) fn empty_on_sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("test.db").display());
        Self {
            store: open(&url).unwrap(),
            url,
            _place: Place::Folder { _folder: folder },
        }
    }

    pub(crate) fn empty_on_postgres(server: &str) -> Self {
        let schema = Schema::create(server);
        let separator = if server.contains('?') { '&' } else { '?' };
        let url = format!("{server}{separator}options=-csearch_path%3D{}", schema.name);
        Self {
            store: open(&url).unwrap(),
            url,
            _place: Place::Schema { _schema: schema },
        }
    }

    /// Where it is, to open it a second time.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The SQLite file, if it is one.
    pub(crate) fn file(&self) -> Option<std::path::PathBuf> {
        self.url.strip_prefix("sqlite:").map(Into::into)
    }

    fn insert_deployment(&self) {
        let store = self.store.clone();
        let root_check = if self.url.starts_with("sqlite") {
            "x'00'"
        } else {
            "'\\x00'"
        };
        let row = format!(
            "INSERT INTO deployment (id, issuer, root_check, epoch, created_at) VALUES ('test', 'https://kagiya.test', {root_check}, 0, 0)"
        );
        block_on(async move { store.write(move |tx| execute(tx, &row)).await }).unwrap();
    }
}

/// Opens a store on `url`, making a SQLite file if there is none.
pub(crate) fn open(url: &str) -> Result<Store, Error> {
    Store::open(&Options {
        url: SecretText::new(url.to_owned()),
        readers: 4,
        create: true,
    })
}

/// Runs one statement; how many rows it touched.
pub(crate) fn execute(connection: &mut Connection, statement: &str) -> Result<usize, Error> {
    Ok(diesel::sql_query(statement).execute(connection)?)
}

/// The number that this query selects as `number`.
pub(crate) fn number(connection: &mut Connection, query: &str) -> Result<i64, Error> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = BigInt)]
        number: i64,
    }
    let row: Row = diesel::sql_query(query).get_result(connection)?;
    Ok(row.number)
}

/// The server that the tests may use.
#[expect(
    clippy::disallowed_methods,
    reason = "a variable of the tests, not of the program"
)]
pub(crate) fn postgres_url() -> Option<String> {
    std::env::var("KAGIYA_TEST_POSTGRES_URL")
        .ok()
        .filter(|url| !url.is_empty())
}

/// Waits on a thread of its own, so that it works inside a test that is asynchronous itself.
pub(crate) fn block_on<T: Send>(future: impl Future<Output = T> + Send) -> T {
    std::thread::scope(|scope| {
        scope
            .spawn(|| {
                tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .unwrap()
                    .block_on(future)
            })
            .join()
            .unwrap()
    })
}

/// A schema on a PostgreSQL server, which stands in for a database.
struct Schema {
    server: String,
    name: String,
}

impl Schema {
    fn create(server: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("kagiya_test_{}_{number}", std::process::id());
        administer(
            server,
            &format!("DROP SCHEMA IF EXISTS {name} CASCADE; CREATE SCHEMA {name}"),
        );
        Self {
            server: server.to_owned(),
            name,
        }
    }
}

impl Drop for Schema {
    fn drop(&mut self) {
        administer(&self.server, &format!("DROP SCHEMA {} CASCADE", self.name));
    }
}

/// Runs statements on the server outside of any store.
pub(crate) fn administer(server: &str, statements: &str) {
    block_on(async {
        let (client, connection) = tokio_postgres::connect(server, tokio_postgres::NoTls)
            .await
            .unwrap();
        let driver = tokio::spawn(connection);
        client.batch_execute(statements).await.unwrap();
        drop(client);
        driver.await.unwrap().unwrap();
    });
}
