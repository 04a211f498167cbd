//! What is fetched from the issuer: within a time and a size, without redirects.

use std::time::Duration;

use jsonwebtoken::jwk::JwkSet;
use reqwest::header::{CACHE_CONTROL, ETAG, IF_NONE_MATCH};
use reqwest::{Client, RequestBuilder, Response, StatusCode};

/// How long keys are kept that came without a word on it.
const DEFAULT_MAX_AGE: Duration = Duration::from_secs(300);
/// How long they are kept at most, and at least, whatever the word is.
const MAX_AGE: std::ops::RangeInclusive<Duration> =
    Duration::from_secs(10)..=Duration::from_secs(86_400);
/// The largest answer in bytes: a list of revocations is less than 100 kB.
const LARGEST: usize = 512 * 1024;

/// Why nothing came of it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    #[error(transparent)]
    Http(#[from] reqwest::Error),
    #[error("the answer is larger than {LARGEST} bytes")]
    TooLarge,
    #[error("the answer is no JWK set")]
    NoKeySet(#[from] serde_json::Error),
    #[error("the list is not one that this issuer signed")]
    NoList,
}

/// Where the issuer is reached.
pub(crate) struct Source {
    pub(crate) client: Client,
    /// Without a slash at its end.
    pub(crate) well_known: String,
}

/// A list of revocations as it came.
pub(crate) enum List {
    /// The one that was there before.
    Same,
    /// Another one, with its entity tag.
    New { jwt: String, etag: Option<String> },
}

impl Source {
    /// The JWK set, and how long it may be kept.
    pub(crate) async fn keys(&self) -> Result<(JwkSet, Duration), FetchError> {
        let url = format!("{}/jwks.json", self.well_known);
        let answer = send(self.client.get(url)).await?.error_for_status()?;
        let word = answer.headers().get(CACHE_CONTROL);
        let max_age = word
            .and_then(|word| word.to_str().ok())
            .and_then(max_age)
            .unwrap_or(DEFAULT_MAX_AGE)
            .clamp(*MAX_AGE.start(), *MAX_AGE.end());
        Ok((serde_json::from_slice(&body(answer).await?)?, max_age))
    }

    /// The list of what was revoked, unless it is the one with this entity tag.
    pub(crate) async fn list(&self, held: Option<&str>) -> Result<List, FetchError> {
        let mut request = self.client.get(format!("{}/revocations", self.well_known));
        if let Some(etag) = held {
            request = request.header(IF_NONE_MATCH, etag);
        }
        let answer = send(request).await?.error_for_status()?;
        if answer.status() == StatusCode::NOT_MODIFIED {
            return Ok(List::Same);
        }
        let etag = answer.headers().get(ETAG);
        let etag = etag.and_then(|etag| etag.to_str().ok()).map(str::to_owned);
        let jwt = String::from_utf8(body(answer).await?).map_err(|_| FetchError::NoList)?;
        Ok(List::New { jwt, etag })
    }
}

/// Sends it, and once more if that failed: a server may close a connection that was kept at the very moment in which it is used again.
async fn send(request: RequestBuilder) -> Result<Response, reqwest::Error> {
    let again = request.try_clone();
    match (request.send().await, again) {
        (Err(error), Some(again)) if error.is_request() && !error.is_timeout() => {
            again.send().await
        }
        (sent, _) => sent,
    }
}

fn max_age(word: &str) -> Option<Duration> {
    let seconds = word
        .split(',')
        .find_map(|directive| directive.trim().strip_prefix("max-age="))?;
    Some(Duration::from_secs(seconds.parse().ok()?))
}

async fn body(mut answer: Response) -> Result<Vec<u8>, FetchError> {
    let mut body = Vec::new();
    while let Some(part) = answer.chunk().await? {
        if body.len() + part.len() > LARGEST {
            return Err(FetchError::TooLarge);
        }
        body.extend_from_slice(&part);
    }
    Ok(body)
}
