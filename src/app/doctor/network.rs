//! How it is reached: the certificate, and the proxies whose word is taken.

use std::net::IpAddr;

use ipnet::IpNet;

use super::{Finding, chain};
use crate::app::certificate::Certificate;
use crate::config::Config;

/// The checks that need nothing but the configuration.
pub(super) fn all(config: &Config) -> Vec<Finding> {
    let mut findings = vec![proxies(config)];
    findings.extend(certificate(config));
    findings
}

/// Whether the client's address can be told from the proxy's, and by nobody else's word.
fn proxies(config: &Config) -> Finding {
    const CHECK: &str = "trusted_proxies";
    let listener = &config.listener;
    let has_tls = config.tls.files().is_some();
    let is_https = listener
        .issuer
        .as_ref()
        .is_some_and(|issuer| issuer.as_str().starts_with("https:"));
    let trusted = &listener.trusted_proxies;
    if is_https && !has_tls && trusted.is_empty() {
        return Finding::failed(
            CHECK,
            "the issuer is https and this server speaks http, so a proxy stands before it, and none is trusted: every client \
             has the proxy's address, in logs, limits and allowed_cidrs",
            "name the proxy's address in trusted_proxies, or serve by TLS with --tls-cert and --tls-key",
        );
    }
    if let Some(wide) = trusted.iter().find(|network| is_wide(network)) {
        return Finding::warning(
            CHECK,
            format!("{wide} is wide: whoever is in it can claim any address"),
            "name the addresses of the proxies themselves in trusted_proxies",
        );
    }
    let detail = match trusted.len() {
        0 => "none, and none is needed".to_owned(),
        _ => trusted
            .iter()
            .map(IpNet::to_string)
            .collect::<Vec<_>>()
            .join(", "),
    };
    Finding::ok(CHECK, detail)
}

/// Wider than any company's own network, or public and wider than a handful of machines.
fn is_wide(network: &IpNet) -> bool {
    let (own, widest_public) = match network.addr() {
        IpAddr::V4(address) => (address.is_private() || address.is_loopback(), 24),
        IpAddr::V6(address) => (address.is_unique_local() || address.is_loopback(), 56),
    };
    !own && network.prefix_len() < widest_public
}

/// Whether certificate and key can be used; nothing where there is no TLS.
fn certificate(config: &Config) -> Option<Finding> {
    const CHECK: &str = "certificate";
    let (cert, key) = config.tls.files()?;
    Some(match Certificate::load(cert, key) {
        Ok(_) => Finding::ok(CHECK, format!("{} and its key fit", cert.display())),
        Err(error) => Finding::failed(
            CHECK,
            chain(&error),
            "give the certificate with its chain and the key that belongs to it, both in PEM and readable by this user",
        ),
    })
}
