//! PostgreSQL without libpq: diesel-async's connection in its synchronous wrapper, as a variant that `MultiConnection` takes.
//!
//! The derive wants inner traits of diesel that only its own connections have; [`Pg`] passes them on. This file can go when
//! diesel derives an asynchronous `MultiConnection` (merged upstream, not in diesel 2.3 and diesel-async 0.9); until then both
//! crates are pinned to the exact version. TLS is rustls, with the public roots or those of the file that `sslrootcert` names;
//! certificate and host name are checked whenever TLS is used.

use std::any::Any;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use diesel::connection::{
    CacheSize, Connection, ConnectionSealed, Instrumentation, LoadConnection,
    MultiConnectionHelper, SimpleConnection, TransactionManager, TransactionManagerStatus,
};
use diesel::dsl::sql;
use diesel::expression::QueryMetadata;
use diesel::migration::MigrationConnection;
use diesel::pg::{Pg as PgBackend, PgMetadataLookup, PgTypeMetadata};
use diesel::query_builder::{Query, QueryFragment, QueryId};
use diesel::sql_types::{BigInt, Nullable, Text, TypeMetadata};
use diesel::{ConnectionResult, QueryResult, RunQueryDsl};
use diesel_async::AsyncPgConnection;
use diesel_async::async_connection_wrapper::{AsyncConnectionWrapper, BlockOn};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tokio::runtime::{Builder, Runtime};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::connection::{AnyConnection, Purpose, Target, UrlError};
use super::error::{Cause, Error, Reason};

/// How long a new connection may take, TLS and sign-in included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// How long sent bytes may stay unacknowledged. Beyond it the server is gone without a word, and waiting helps nobody.
const UNACKNOWLEDGED: Duration = Duration::from_secs(5);

/// How often it is asked what became of a commit, and how long it is waited in between.
const ASKED: u32 = 40;
const BETWEEN: Duration = Duration::from_millis(100);

/// Drives all connections. Its own thread, as a connection must not die with the worker that opened it.
static IO: LazyLock<std::io::Result<Runtime>> = LazyLock::new(|| {
    Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("kagiya-postgres")
        .enable_all()
        .build()
});

/// A PostgreSQL server and how to sign in there.
#[derive(Clone)]
pub(super) struct Server {
    config: tokio_postgres::Config,
    tls: MakeRustlsConnect,
}

impl Server {
    pub(super) fn parse(url: &str) -> Result<Self, UrlError> {
        let (url, roots) = without_root_certificates(url);
        let tls = tls(roots.as_deref())?;
        let mut config: tokio_postgres::Config = url.parse().map_err(UrlError::Postgres)?;
        config
            .application_name("kagiya")
            .connect_timeout(CONNECT_TIMEOUT)
            .keepalives_idle(Duration::from_secs(30))
            .keepalives_interval(Duration::from_secs(5))
            .keepalives_retries(3)
            .tcp_user_timeout(UNACKNOWLEDGED);
        Ok(Self { config, tls })
    }

    /// Connects and sets the session. Must not be called on a thread that drives futures.
    pub(super) fn connect(&self, purpose: Purpose) -> Result<Pg, Error> {
        let io = IO.as_ref().map_err(Error::unavailable)?;
        let mut pg = io
            .block_on(async { tokio::time::timeout(CONNECT_TIMEOUT, self.open()).await })
            .map_err(|_| Error::from(Reason::ConnectTimeout))??;
        pg.batch_execute(match purpose {
            Purpose::Pool | Purpose::Writer | Purpose::Copy => SESSION,
            Purpose::Migration => MIGRATION,
        })?;
        Ok(pg)
    }

    async fn open(&self) -> Result<Pg, Error> {
        let (client, mut connection) = self
            .config
            .connect(self.tls.clone())
            .await
            .map_err(Error::unavailable)?;
        let closed = Arc::new(AtomicBool::new(false));
        let noticed = Arc::clone(&closed);
        tokio::spawn(async move {
            // It ends when the client is dropped, or when the server goes away. The flag is up before the connection is
            // dropped, and only that fails the statement that waits: whoever sees the failure sees the flag too.
            if let Err(error) = (&mut connection).await {
                tracing::debug!(
                    error = &error as &dyn std::error::Error,
                    "a PostgreSQL connection ended"
                );
            }
            noticed.store(true, Ordering::Release);
        });
        let inner = AsyncPgConnection::try_from(client)
            .await
            .map_err(Error::unavailable)?;
        Ok(Pg {
            inner: Box::new(inner.into()),
            closed,
        })
    }
}

/// A commit that was acknowledged is on disk, whatever the server's default; a statement never outlives the caller's patience.
const SESSION: &str = "SET synchronous_commit = on; SET statement_timeout = '5s'; SET idle_in_transaction_session_timeout = '60s'";

const MIGRATION: &str = "SET synchronous_commit = on; SET statement_timeout = 0";

/// The number of the transaction that is open, by which it is found again when its connection is lost; none on SQLite.
pub(super) fn transaction_number(connection: &mut AnyConnection) -> Result<Option<i64>, Error> {
    let AnyConnection::Postgres(pg) = connection else {
        return Ok(None);
    };
    let number = diesel::select(sql::<BigInt>("txid_current()")).get_result(pg)?;
    Ok(Some(number))
}

/// Whether a transaction whose connection was lost at its commit stands, asked on a new connection; none if nobody says.
///
/// The server may not have noticed yet, or may be starting again: it is asked for as long as the caller of the write waits.
pub(super) fn stands(target: &Target, number: i64) -> Option<bool> {
    let query = format!("txid_status({number})");
    for _ in 0..ASKED {
        let status = target.connect(Purpose::Pool).and_then(|mut connection| {
            let status: Option<String> =
                diesel::select(sql::<Nullable<Text>>(&query)).get_result(&mut connection)?;
            Ok(status)
        });
        match status.ok().flatten().as_deref() {
            Some("committed") => return Some(true),
            Some("aborted") => return Some(false),
            // Still in progress, or no answer.
            _ => std::thread::park_timeout(BETWEEN),
        }
    }
    None
}

/// The URL as the driver takes it, and the file that `sslrootcert` names. `sslmode=verify-full` is what `require` means here.
fn without_root_certificates(url: &str) -> (String, Option<PathBuf>) {
    let Some((base, query)) = url.split_once('?') else {
        return (url.to_owned(), None);
    };
    let mut roots = None;
    let rest: Vec<&str> = query
        .split('&')
        .filter_map(|parameter| match parameter.split_once('=') {
            Some(("sslrootcert", path)) => {
                // In a URL of PostgreSQL a plus is a plus.
                let form = format!("path={}", path.replace('+', "%2B"));
                roots = url::form_urlencoded::parse(form.as_bytes())
                    .next()
                    .map(|(_, path)| PathBuf::from(path.into_owned()));
                None
            }
            Some(("sslmode", "verify-full")) => Some("sslmode=require"),
            _ => Some(parameter),
        })
        .collect();
    if rest.is_empty() {
        (base.to_owned(), roots)
    } else {
        (format!("{base}?{}", rest.join("&")), roots)
    }
}

fn tls(roots: Option<&Path>) -> Result<MakeRustlsConnect, UrlError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(UrlError::Tls)?
        .with_root_certificates(match roots {
            Some(file) => read_roots(file)?,
            None => webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect(),
        })
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

fn read_roots(file: &Path) -> Result<RootCertStore, UrlError> {
    let unusable = |source: Cause| UrlError::RootCertificates {
        path: file.to_owned(),
        source,
    };
    let mut roots = RootCertStore::empty();
    for certificate in
        CertificateDer::pem_file_iter(file).map_err(|error| unusable(error.into()))?
    {
        let certificate = certificate.map_err(|error| unusable(error.into()))?;
        roots
            .add(certificate)
            .map_err(|error| unusable(error.into()))?;
    }
    if roots.is_empty() {
        return Err(unusable("it holds no certificate in PEM".into()));
    }
    Ok(roots)
}

type Inner = AsyncConnectionWrapper<AsyncPgConnection, OnIo>;
type InnerManager = <Inner as Connection>::TransactionManager;

/// A connection to PostgreSQL that blocks its caller's thread while it waits.
pub struct Pg {
    inner: Box<Inner>,
    closed: Arc<AtomicBool>,
}

impl Pg {
    /// Whether the server or the network has ended the connection.
    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }
}

/// Waits on the caller's thread for what [`IO`] does.
pub struct OnIo(&'static Runtime);

impl BlockOn for OnIo {
    fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.0.handle().block_on(future)
    }

    fn get_runtime() -> Self {
        // Called when a connection is wrapped, and a connection was opened on this very runtime.
        Self(IO.as_ref().expect("the runtime that opened the connection"))
    }
}

impl SimpleConnection for Pg {
    fn batch_execute(&mut self, query: &str) -> QueryResult<()> {
        self.inner.batch_execute(query)
    }
}

impl ConnectionSealed for Pg {}

impl Connection for Pg {
    type Backend = PgBackend;
    type TransactionManager = Manager;

    fn establish(_: &str) -> ConnectionResult<Self> {
        // Only the store opens connections: it alone knows about TLS and the session.
        Err(diesel::ConnectionError::BadConnection(
            "opened by the store alone".to_owned(),
        ))
    }

    fn execute_returning_count<T>(&mut self, source: &T) -> QueryResult<usize>
    where
        T: QueryFragment<PgBackend> + QueryId,
    {
        self.inner.execute_returning_count(source)
    }

    fn transaction_state(
        &mut self,
    ) -> &mut <Manager as TransactionManager<Self>>::TransactionStateData {
        self.inner.transaction_state()
    }

    fn instrumentation(&mut self) -> &mut dyn Instrumentation {
        self.inner.instrumentation()
    }

    fn set_instrumentation(&mut self, instrumentation: impl Instrumentation) {
        self.inner.set_instrumentation(instrumentation);
    }

    fn set_prepared_statement_cache_size(&mut self, size: CacheSize) {
        self.inner.set_prepared_statement_cache_size(size);
    }
}

impl LoadConnection for Pg {
    type Cursor<'conn, 'query> = <Inner as LoadConnection>::Cursor<'conn, 'query>;
    type Row<'conn, 'query> = <Inner as LoadConnection>::Row<'conn, 'query>;

    fn load<'conn, 'query, T>(
        &'conn mut self,
        source: T,
    ) -> QueryResult<Self::Cursor<'conn, 'query>>
    where
        T: Query + QueryFragment<PgBackend> + QueryId + 'query,
        PgBackend: QueryMetadata<T::SqlType>,
    {
        self.inner.load(source)
    }
}

impl MigrationConnection for Pg {
    fn setup(&mut self) -> QueryResult<usize> {
        self.inner.setup()
    }
}

/// Passes transactions on to the wrapped connection.
pub struct Manager;

impl TransactionManager<Pg> for Manager {
    type TransactionStateData = <InnerManager as TransactionManager<Inner>>::TransactionStateData;

    fn begin_transaction(pg: &mut Pg) -> QueryResult<()> {
        InnerManager::begin_transaction(&mut *pg.inner)
    }

    fn rollback_transaction(pg: &mut Pg) -> QueryResult<()> {
        InnerManager::rollback_transaction(&mut *pg.inner)
    }

    fn commit_transaction(pg: &mut Pg) -> QueryResult<()> {
        InnerManager::commit_transaction(&mut *pg.inner)
    }

    fn transaction_manager_status_mut(pg: &mut Pg) -> &mut TransactionManagerStatus {
        InnerManager::transaction_manager_status_mut(&mut *pg.inner)
    }
}

/// Stands in where diesel would look up types of extensions: the columns have built-in types only.
struct BuiltInOnly;

impl PgMetadataLookup for BuiltInOnly {
    fn lookup_type(&mut self, _: &str, _: Option<&str>) -> PgTypeMetadata {
        PgTypeMetadata::new(0, 0)
    }
}

impl MultiConnectionHelper for Pg {
    fn to_any<'a>(_: &mut <PgBackend as TypeMetadata>::MetadataLookup) -> &mut (dyn Any + 'a) {
        // A box of an empty struct takes no memory, so none is lost.
        Box::leak(Box::new(BuiltInOnly))
    }

    fn from_any(lookup: &mut dyn Any) -> Option<&mut (dyn PgMetadataLookup + 'static)> {
        lookup
            .downcast_mut::<BuiltInOnly>()
            .map(|lookup| lookup as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_certificates_are_taken_out_of_the_url() {
        let taken = |url| {
            let (url, roots) = without_root_certificates(url);
            (url, roots.map(|path| path.display().to_string()))
        };
        let plain = "postgres://me:a%26b@db/k";
        assert_eq!(taken(plain), (plain.to_owned(), None));
        assert_eq!(
            taken(
                "postgres://db/k?sslmode=verify-full&sslrootcert=/etc/my%20ca+1.pem&options=-cx%3D1"
            ),
            (
                "postgres://db/k?sslmode=require&options=-cx%3D1".to_owned(),
                Some("/etc/my ca+1.pem".to_owned())
            )
        );
        assert_eq!(
            taken("postgres://db/k?sslrootcert=ca.pem"),
            ("postgres://db/k".to_owned(), Some("ca.pem".to_owned()))
        );
    }

    #[test]
    fn root_certificates_that_cannot_be_read_are_named() {
        let error = Server::parse("postgres://db/k?sslrootcert=/no/ca.pem").err();
        let said = error.map(|error| error.to_string()).unwrap_or_default();
        assert!(said.contains("/no/ca.pem"), "{said}");
    }
}
