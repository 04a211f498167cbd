//! `kagiya serve`: the server. Also what `kagiya` does without a command.

use std::io;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use super::node::{self, Node, Opening};
use super::{Failure, GlobalOptions, welcome};
use crate::app::DataFolder;
use crate::app::certificate::Certificate;
use crate::config::Config;
use crate::domain::random::SystemRandom;
use crate::domain::sealed::RootSecret;
use crate::server;
use crate::telemetry::logs::{self, LineFormat};

/// Runs the server
///
/// Without any configuration it listens on 127.0.0.1:8787 and keeps everything in ./kagiya-data, which it makes at the first
/// start. Every setting is described in config.example.toml; a flag wins over a variable, a variable over the file.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(
    verbatim_doc_comment,
    after_long_help = r#"Examples:
  kagiya serve
  kagiya serve --listen 127.0.0.1:9000 --data-dir /var/lib/kagiya
  kagiya serve --listen 0.0.0.0:443 --issuer https://keys.example.com --tls-cert fullchain.pem --tls-key key.pem
  KAGIYA_TRUSTED_PROXIES=10.0.0.0/8 kagiya serve --listen 0.0.0.0:8787 --issuer https://keys.example.com"#
)]
pub struct Options {
    /// Address and port to listen on [variable: KAGIYA_LISTEN] [default: 127.0.0.1:8787]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Option<String>,
    /// Take an issuer other than the one recorded at the first start [variable: KAGIYA_ACCEPT_NEW_ISSUER]
    #[arg(long)]
    pub accept_new_issuer: bool,
    /// Threads that answer requests [variable: KAGIYA_WORKERS] [default: one for each core]
    #[arg(long, value_name = "NUMBER")]
    pub workers: Option<NonZeroUsize>,
    /// Listen beyond this machine without TLS [variable: KAGIYA_INSECURE_HTTP]
    ///
    /// Keys then cross the network in clear, unless something else protects it.
    #[arg(long)]
    pub insecure_http: bool,
    /// Serve by TLS: the certificate and its chain in PEM, read again when the file changes [variable: KAGIYA_TLS_CERT]
    #[arg(long, value_name = "FILE")]
    pub tls_cert: Option<String>,
    /// The private key of --tls-cert in PEM [variable: KAGIYA_TLS_KEY]
    #[arg(long, value_name = "FILE")]
    pub tls_key: Option<String>,
    /// A second address, in clear, for /metrics and the probes [variable: KAGIYA_METRICS_LISTEN] [default: none]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub metrics_listen: Option<String>,
}

impl Options {
    /// The settings that were given, for [`GlobalOptions::config`](super::GlobalOptions::config).
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        let mut settings = Vec::new();
        for (name, given) in [
            ("listen", &self.listen),
            ("tls.cert", &self.tls_cert),
            ("tls.key", &self.tls_key),
            ("metrics_listen", &self.metrics_listen),
        ] {
            settings.extend(given.clone().map(|value| (name, value)));
        }
        settings.extend(self.workers.map(|workers| ("workers", workers.to_string())));
        for (name, given) in [
            ("accept_new_issuer", self.accept_new_issuer),
            ("insecure_http", self.insecure_http),
        ] {
            if given {
                settings.push((name, "true".to_owned()));
            }
        }
        settings
    }
}

/// Serves until SIGTERM or SIGINT.
///
/// # Errors
/// A wrong configuration, a data folder that another server holds, a port in use, a database or root secret that does not fit.
pub fn run(options: &Options, globals: &GlobalOptions) -> Result<(), Failure> {
    let config = globals.config(options.settings())?;
    logs::install(&config.log);
    node::block_on(serve(&config, globals))
}

async fn serve(config: &Config, globals: &GlobalOptions) -> Result<(), Failure> {
    // First of all, so that a signal during the start is not lost.
    let stop = server::termination()?;
    let folder = DataFolder::hold(&config.database.data_dir)?;
    let root = folder.root_secret(config, &SystemRandom)?;
    let node = Node::start(config, opening(config, root)).await?;
    let address = node.address();
    let folder = Arc::new(Mutex::new(folder));
    let announce = move |folder: &Mutex<DataFolder>, certificate: Option<&Certificate>| {
        // A file and a path: nothing that could be half changed.
        let mut folder = folder.lock().unwrap_or_else(PoisonError::into_inner);
        folder.announce(address, certificate.map(Certificate::fingerprint))
    };
    announce(&folder, node.certificate().map(Arc::as_ref))?;
    let watching = node.certificate().map(|certificate| {
        let folder = Arc::clone(&folder);
        certificate.watch(move |certificate| {
            if let Err(error) = announce(&folder, Some(certificate)) {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "commands on this machine will not know the new certificate"
                );
            }
        })
    });
    welcome::greet(&node, config, globals).await?;
    let served = node.serve(stop).await;
    if let Some(watching) = watching {
        watching.abort();
        // An error says that it was aborted: with it goes its hold on the folder.
        let _ = watching.await;
    }
    // Held to the end: the next server starts on a database that is closed.
    drop(folder);
    served
}

/// How `serve` opens a node.
pub(super) fn opening(config: &Config, root: RootSecret) -> Opening {
    Opening {
        listen: config.listener.listen,
        issuer: config.listener.issuer.clone(),
        root,
        log: Box::new(io::stdout()),
        log_format: LineFormat::choose(config.log.format, &io::stdout()),
    }
}
