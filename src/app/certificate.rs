//! The certificate that the server shows, read again when its files change.
//!
//! A new pair serves the connections that come after it; those that are open go on. A pair that cannot be used (unreadable, half
//! written, a key of another certificate) changes nothing: the old one stays, and one event says why.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use std::{fs, io};

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use thiserror::Error as ThisError;
use tokio::task::JoinHandle;
use zeroize::Zeroizing;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(1);

/// Certificate and key, as they are now.
pub struct Certificate {
    cert: PathBuf,
    key: PathBuf,
    held: ArcSwap<CertifiedKey>,
}

/// Why a pair cannot be used.
#[derive(Debug, ThisError)]
pub enum CertificateError {
    /// A file cannot be read.
    #[error("{path} cannot be read")]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is not PEM of that kind.
    #[error("{path} holds no {what} in PEM")]
    NotPem {
        /// Which.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
        /// Why not.
        source: pem::Error,
    },
    /// There is no certificate in the file.
    #[error("{0} holds no certificate in PEM")]
    Empty(PathBuf),
    /// They do not belong together, or are of a kind that is not known here.
    #[error("the key in {key} does not belong to the certificate in {cert}, or cannot be used")]
    Pair {
        /// The certificate's file.
        cert: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// What the library says.
        source: rustls::Error,
    },
    /// No protocol version is left.
    #[error("TLS cannot be set up")]
    Setup(#[from] rustls::Error),
}

impl Certificate {
    /// Reads a pair.
    ///
    /// # Errors
    /// See [`CertificateError`].
    pub fn load(cert: &Path, key: &Path) -> Result<Arc<Self>, CertificateError> {
        let pair = Files::read(cert, key)?.pair(cert, key)?;
        Ok(Arc::new(Self {
            cert: cert.to_owned(),
            key: key.to_owned(),
            held: ArcSwap::from_pointee(pair),
        }))
    }

    /// TLS 1.2 and 1.3 with whatever pair is held when a connection begins.
    ///
    /// # Errors
    /// [`CertificateError::Setup`].
    pub fn server_config(self: &Arc<Self>) -> Result<ServerConfig, CertificateError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder =
            ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let resolver = Shown(Arc::clone(self));
        Ok(builder
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(resolver)))
    }

    /// The BLAKE3 hash of the server's own certificate, in hexadecimal: by it a command on this machine knows the server.
    pub fn fingerprint(&self) -> String {
        let held = self.held.load();
        held.cert
            .first()
            .map(|leaf| fingerprint(leaf))
            .unwrap_or_default()
    }

    /// Looks at the files all the time; `changed` hears of every new pair, after it serves.
    pub fn watch(self: &Arc<Self>, changed: impl Fn(&Self) + Send + 'static) -> JoinHandle<()> {
        let certificate = Arc::clone(self);
        tokio::spawn(async move {
            // What was tried last, good or bad: a bad pair is told of once.
            let mut tried = None;
            loop {
                let look = {
                    let certificate = Arc::clone(&certificate);
                    tokio::task::spawn_blocking(move || certificate.look(tried))
                };
                let Ok((seen, outcome)) = look.await else {
                    return;
                };
                tried = Some(seen);
                match outcome {
                    Ok(false) => {}
                    Ok(true) => {
                        tracing::info!(
                            certificate = %certificate.cert.display(),
                            fingerprint = certificate.fingerprint(),
                            "a new certificate serves"
                        );
                        changed(&certificate);
                    }
                    Err(error) => tracing::error!(
                        error = &error as &dyn std::error::Error,
                        "the new certificate cannot be used; the old one goes on serving"
                    ),
                }
                tokio::time::sleep(LOOK).await;
            }
        })
    }

    /// Reads the files, unless they are as `tried`; whether a new pair is held now.
    fn look(&self, tried: Option<blake3::Hash>) -> (blake3::Hash, Result<bool, CertificateError>) {
        let files = match Files::read(&self.cert, &self.key) {
            Ok(files) => files,
            Err(error) => {
                let seen = blake3::hash(error.to_string().as_bytes());
                let news = if tried == Some(seen) {
                    Ok(false)
                } else {
                    Err(error)
                };
                return (seen, news);
            }
        };
        let seen = files.hash();
        if tried == Some(seen) {
            return (seen, Ok(false));
        }
        let taken = files.pair(&self.cert, &self.key).map(|pair| {
            let is_new = pair.cert != self.held.load().cert;
            self.held.store(Arc::new(pair));
            is_new
        });
        (seen, taken)
    }
}

/// What rustls asks when a connection begins.
struct Shown(Arc<Certificate>);

impl std::fmt::Debug for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0.cert.display())
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.held.load_full())
    }
}

/// The BLAKE3 hash of a certificate, in hexadecimal.
pub fn fingerprint(certificate: &CertificateDer<'_>) -> String {
    blake3::hash(certificate).to_hex().to_string()
}

/// What the two files hold.
struct Files {
    cert: Vec<u8>,
    key: Zeroizing<Vec<u8>>,
}

impl Files {
    fn read(cert: &Path, key: &Path) -> Result<Self, CertificateError> {
        let read = |path: &Path| {
            fs::read(path).map_err(|source| CertificateError::Unreadable {
                path: path.to_owned(),
                source,
            })
        };
        Ok(Self {
            cert: read(cert)?,
            key: Zeroizing::new(read(key)?),
        })
    }

    fn hash(&self) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&(self.cert.len() as u64).to_be_bytes());
        hasher.update(&self.cert).update(&self.key);
        hasher.finalize()
    }

    fn pair(&self, cert: &Path, key: &Path) -> Result<CertifiedKey, CertificateError> {
        let not_pem = |path: &Path, what| {
            let path = path.to_owned();
            move |source| CertificateError::NotPem { path, what, source }
        };
        let chain = CertificateDer::pem_slice_iter(&self.cert)
            .collect::<Result<Vec<_>, _>>()
            .map_err(not_pem(cert, "certificate"))?;
        if chain.is_empty() {
            return Err(CertificateError::Empty(cert.to_owned()));
        }
        let private =
            PrivateKeyDer::from_pem_slice(&self.key).map_err(not_pem(key, "private key"))?;
        CertifiedKey::from_der(chain, private, &aws_lc_rs::default_provider()).map_err(|source| {
            CertificateError::Pair {
                cert: cert.to_owned(),
                key: key.to_owned(),
                source,
            }
        })
    }
}
