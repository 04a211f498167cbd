//! A key that somebody found: whose it is, as far as the finder may know.

use crate::broker::keys::ShownKey;
use crate::broker::{Broker, Caller, Error, Refusal, Stopped};

/// What is known of a key that somebody found.
pub enum FoundKey {
    /// Nothing: it is malformed, forged or unknown.
    NotOurs,
    /// It is one that the finder may see.
    Seen {
        /// The key.
        key: Box<ShownKey>,
        /// Whether this very generation can still be used, or could after a pause.
        lives: bool,
    },
    /// It is one of ours, and whose is not the finder's to know.
    OfOthers {
        /// The same.
        lives: bool,
    },
}

impl Broker {
    /// Whose a key is that somebody found, if it is one of ours and proves itself: the key, where the caller may see it.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn found_key(&self, text: &[u8], caller: &Caller) -> Result<FoundKey, Error> {
        let record = match self.identify(text, None).await {
            Ok(record) => record,
            Err(Refusal::Store(error)) => return Err(error.into()),
            Err(Refusal::Internal(cause)) => return Err(Error::Internal(cause)),
            Err(_) => return Ok(FoundKey::NotOurs),
        };
        let lives = record
            .stopped(self.now())
            .is_none_or(|stopped| !matches!(stopped, Stopped::Revoked | Stopped::Rotated));
        match self.key(record.key_id(), caller).await {
            Ok(shown) => Ok(FoundKey::Seen {
                key: Box::new(shown),
                lives,
            }),
            Err(Error::NotFound) => Ok(FoundKey::OfOthers { lives }),
            Err(error) => Err(error),
        }
    }
}
