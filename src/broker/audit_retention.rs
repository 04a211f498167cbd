//! Rows of the audit trail that are older than they may be: they go as whole segments, and a sealed record of each stays.
//!
//! What goes was verified before, so retention hides nothing: a row that is not as it was written stays, with all that come behind it in
//! its chain.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::Broker;
use super::retention::before;
use crate::domain::audit_chain::{AuditSecret, Link, Position, Seal};
use crate::store::Error;
use crate::store::audit_chains::{self, Chain};
use crate::store::audit_events::{self, StoredEvent};
use crate::store::audit_segments::{self, Segment};

/// Rows of one segment at most, so that its transaction is short.
const ROWS: usize = 1_000;

impl Broker {
    /// Removes what is older than it may be, of every chain.
    pub(super) async fn remove_old_events(&self) -> Result<(), Error> {
        let Some(kept) = self.settings.retention.audit else {
            return Ok(());
        };
        let end = beginning_of_day(before(self.now(), kept));
        let chains = self
            .store
            .read(move |connection| audit_chains::with_rows_before(connection, end))
            .await?;
        for number in chains {
            loop {
                let removed = self.remove_segment(number, end).await?;
                if removed == 0 {
                    break;
                }
                tracing::info!(
                    chain = number,
                    rows = removed,
                    "rows of the audit trail were removed: their time is over"
                );
            }
        }
        Ok(())
    }

    /// Removes the oldest rows of a chain that are from before `end`; how many.
    async fn remove_segment(&self, number: i64, end: i64) -> Result<usize, Error> {
        let read = self.store.read(move |connection| {
            let chain = audit_chains::find(connection, number)?;
            let last = audit_segments::last(connection, number)?;
            let next = last.as_ref().map_or(1, |segment| segment.last + 1);
            let from = Position {
                chain: number,
                row: next,
            };
            let mut rows = audit_events::of_chain(connection, from, ROWS)?;
            let old = rows.iter().take_while(|row| row.at < end).count();
            rows.truncate(old);
            Ok::<_, Error>((chain, last, rows))
        });
        let (Some(chain), last, rows) = read.await? else {
            return Ok(0);
        };
        let secrets = self.secrets.load_full();
        let Some(secret) = secrets.audit(chain.generation) else {
            return Err(Error::unavailable(
                "this node has not read a new audit secret yet",
            ));
        };
        let before = match &last {
            Some(segment) => Link::read(&segment.link),
            None => Some(chain.first_link()),
        };
        let segment = before.and_then(|before| segment_of(&chain, before, &rows, secret));
        let Some(mut segment) = segment else {
            if !rows.is_empty() {
                tracing::error!(
                    chain = number,
                    "old rows of the audit trail are not as they were written and stay; see kagiya audit verify"
                );
            }
            return Ok(0);
        };
        segment.removed_at = self.now().as_microsecond();
        segment.mark_with(&secrets.author(&self.run).current);
        self.write_segment(segment, rows.len()).await
    }

    async fn write_segment(&self, segment: Segment, rows: usize) -> Result<usize, Error> {
        let written = self.store.write(move |tx| {
            audit_segments::insert(tx, &segment)?;
            let first = Position {
                chain: segment.chain,
                row: segment.first,
            };
            let removed = audit_events::remove(tx, first, segment.last)?;
            if removed == rows {
                Ok(removed)
            } else {
                Err(Error::corrupt("audit_events", "rows went meanwhile"))
            }
        });
        match written.await {
            // Another node was faster.
            Err(Error::Conflict { .. }) => Ok(0),
            written => written,
        }
    }
}

/// What is to stay of these rows; none if there are none, or if one is not as it was written.
fn segment_of(
    chain: &Chain,
    mut before: Link,
    rows: &[StoredEvent],
    secret: &Arc<AuditSecret>,
) -> Option<Segment> {
    let (first, last) = (rows.first()?, rows.last()?);
    let mut digest = blake3::Hasher::new();
    let mut expected = first.position?;
    for row in rows {
        let position = Position {
            chain: chain.number,
            row: expected,
        };
        let made = row.sealed(secret, &before, position);
        let found = row.seal.as_deref().and_then(Seal::read);
        if row.position != Some(expected) || found != Some(made) {
            return None;
        }
        before = made.link;
        digest.update(before.as_bytes());
        expected += 1;
    }
    Some(Segment {
        chain: chain.number,
        first: first.position?,
        last: expected - 1,
        first_id: first.id.clone(),
        first_at: first.at,
        last_id: last.id.clone(),
        last_at: last.at,
        digest: digest.finalize().as_bytes().to_vec(),
        link: before.as_bytes().to_vec(),
        removed_at: 0,
        generation: 0,
        mark: Vec::new(),
    })
}

/// The beginning of the day (UTC) in which a moment lies, in microseconds: rows go by whole days, and not one by one.
fn beginning_of_day(moment: Timestamp) -> i64 {
    const DAY: i64 = SignedDuration::from_hours(24).as_secs() * 1_000_000;
    moment.as_microsecond().div_euclid(DAY) * DAY
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_begins_at_midnight_before_and_after_1970() {
        for (moment, beginning) in [
            ("2026-11-22T00:00:00Z", "2026-11-22T00:00:00Z"),
            ("2026-11-22T23:59:59.999999Z", "2026-11-22T00:00:00Z"),
            ("1969-12-31T23:00:00Z", "1969-12-31T00:00:00Z"),
        ] {
            let beginning: Timestamp = beginning.parse().unwrap();
            let found = beginning_of_day(moment.parse().unwrap());
            assert_eq!(found, beginning.as_microsecond(), "{moment}");
        }
    }
}
