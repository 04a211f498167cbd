//! `[tls]`: the certificate that the server shows.

use std::path::PathBuf;

use serde::Deserialize;

use super::layers::{Fault, Section};

/// The settings of TLS: both or none.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Tls {
    /// `cert`, `KAGIYA_TLS_CERT`, `--tls-cert`: a PEM file with the server's certificate and those between it and the root, in
    /// this order. Default none: no TLS. Read again within seconds when it changes.
    pub cert: Option<PathBuf>,
    /// `key`, `KAGIYA_TLS_KEY`, `--tls-key`: a PEM file with its private key. Default none.
    pub key: Option<PathBuf>,
}

impl Section for Tls {
    const TABLE: Option<&'static str> = Some("tls");

    fn settle(self) -> Result<Self, Fault> {
        match (&self.cert, &self.key) {
            (Some(_), None) => Err(Fault::new("key", "must be given together with tls.cert")),
            (None, Some(_)) => Err(Fault::new("cert", "must be given together with tls.key")),
            _ => Ok(self),
        }
    }
}

impl Tls {
    /// The files of certificate and key, if there is to be TLS.
    pub fn files(&self) -> Option<(&PathBuf, &PathBuf)> {
        self.cert.as_ref().zip(self.key.as_ref())
    }
}
