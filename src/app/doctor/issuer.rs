//! The issuer as a client sees it: whether that URL leads here.
//!
//! The keys that are published there are compared with those on record, so another deployment, a page of a proxy, or an old
//! machine that still answers is found, whatever its certificate.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;

use super::{Finding, chain};
use crate::config::Config;
use crate::store::deployment::Deployment;
use crate::store::{Store, signing_keys};

const CHECK: &str = "issuer";
/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// More than any set of keys has.
const MOST_BYTES: usize = 1 << 20;

/// Asks at the issuer; `running`: whether a server holds the data folder.
pub(super) async fn check(
    config: &Config,
    store: &Store,
    deployment: &Deployment,
    running: bool,
) -> Finding {
    let issuer = &deployment.issuer;
    if let Some(configured) = &config.listener.issuer
        && configured.as_str() != issuer
    {
        return Finding::failed(
            CHECK,
            format!("the configuration says {configured}, and the database was made for {issuer}"),
            format!("set issuer to {issuer}, or take the new one once with --accept-new-issuer"),
        );
    }
    let remedy = "let the issuer's name lead to this server, with a certificate that clients trust, or set issuer to the URL \
                  that does (docs/deploy.md)";
    let published = match fetch(&format!("{issuer}/.well-known/jwks.json")).await {
        Ok((200, body)) => kids(&body),
        Ok((status, _)) => {
            let detail = format!("{issuer}/.well-known/jwks.json answers {status}");
            return Finding::failed(CHECK, detail, remedy);
        }
        Err(error) if !running => {
            let detail = format!(
                "no server runs here, and {issuer} cannot be reached: {}",
                chain(&error)
            );
            return Finding::warning(CHECK, detail, "start kagiya serve and look again");
        }
        Err(error) => {
            let detail = format!("{issuer} cannot be reached: {}", chain(&error));
            return Finding::failed(CHECK, detail, remedy);
        }
    };
    let ours = match store.read(signing_keys::all).await {
        Ok(keys) => keys
            .into_iter()
            .filter(|key| key.state != "withdrawn")
            .map(|key| key.kid)
            .collect::<BTreeSet<_>>(),
        Err(error) => return Finding::failed(CHECK, chain(&error), remedy),
    };
    if published.as_ref() != Some(&ours) {
        let detail = format!(
            "{issuer} publishes other signing keys than this database has: it leads elsewhere"
        );
        return Finding::failed(CHECK, detail, remedy);
    }
    let metadata = fetch(&format!("{issuer}/.well-known/oauth-authorization-server")).await;
    if let Ok((200, body)) = metadata
        && serde_json::from_slice::<Value>(&body).is_ok_and(|found| found["issuer"] != **issuer)
    {
        let detail = format!("the metadata at {issuer} names another issuer");
        return Finding::failed(CHECK, detail, remedy);
    }
    Finding::ok(CHECK, format!("{issuer} leads here"))
}

fn kids(body: &[u8]) -> Option<BTreeSet<String>> {
    let set: Value = serde_json::from_slice(body).ok()?;
    let kid = |key: &Value| key["kid"].as_str().map(str::to_owned);
    set["keys"].as_array()?.iter().map(kid).collect()
}

/// As a client: by name, with the machine's own roots, no further than the first answer.
#[expect(
    clippy::disallowed_methods,
    reason = "asks at the issuer that the operator named, as any client does, inner address or not"
)]
async fn fetch(url: &str) -> Result<(u16, Vec<u8>), reqwest::Error> {
    let client = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(PATIENCE)
        .build()?;
    let mut answer = client.get(url).send().await?;
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        body.extend_from_slice(&chunk);
        if body.len() > MOST_BYTES {
            break;
        }
    }
    Ok((answer.status().as_u16(), body))
}
