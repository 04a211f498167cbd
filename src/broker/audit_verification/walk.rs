//! One chain, from its first row to its last: each row's seal is made again over the one before it.

use std::sync::Arc;

use super::{Finding, Problem, Verification, VerificationError};
use crate::domain::audit_chain::{Anchor, AuditSecret, Link, Position, Seal};
use crate::store::audit_chains::{Chain, Head};
use crate::store::audit_events::{self, StoredEvent};
use crate::store::audit_segments::{self, Segment};

/// Rows that are read at a time.
const ROWS: usize = 2_000;

/// How far a chain must be.
pub(super) struct Expected {
    head: Head,
    /// Who says so.
    pub(super) by: String,
}

impl Expected {
    pub(super) fn by_anchor(anchor: &Anchor) -> Self {
        let (length, link) = (anchor.position.row, anchor.link);
        Self {
            head: Head { length, link },
            by: "the anchor".to_owned(),
        }
    }

    pub(super) fn by_chain(number: i64, head: Head) -> Self {
        Self {
            head,
            by: format!("chain {number}"),
        }
    }
}

struct Walk<'a> {
    chain: &'a Chain,
    secret: &'a AuditSecret,
    /// What is still expected, the shortest first.
    expected: std::iter::Peekable<std::vec::IntoIter<Expected>>,
    /// The link of the row before the next.
    before: Link,
    next: i64,
}

/// Walks along a chain up to its end, or to the first row that is not as it was written.
pub(super) async fn walk(
    verification: &mut Verification<'_>,
    chain: &Chain,
    secret: &Arc<AuditSecret>,
    mut expected: Vec<Expected>,
    progress: &mut (dyn FnMut(u64) + Send),
) -> Result<(), VerificationError> {
    expected.sort_by_key(|expected| expected.head.length);
    let mut walk = Walk {
        chain,
        secret,
        expected: expected.into_iter().peekable(),
        before: chain.first_link(),
        next: 1,
    };
    if let Some(finding) = walk.arrive(0) {
        verification.report.findings.push(finding);
        return Ok(());
    }
    loop {
        let from = Position {
            chain: chain.number,
            row: walk.next,
        };
        let (rows, segment) = verification
            .store
            .read(move |connection| {
                // In this order: rows that are removed in between are then in the segment.
                let rows = audit_events::of_chain(connection, from, ROWS)?;
                let is_next = rows
                    .first()
                    .is_some_and(|row| row.position == Some(from.row));
                let segment = if is_next {
                    None
                } else {
                    audit_segments::find(connection, from)?
                };
                Ok::<_, crate::store::Error>((rows, segment))
            })
            .await?;
        let step = match segment {
            Some(segment) => {
                let by = verification.secret(segment.generation).await?;
                walk.over(&segment, by.as_deref()).map(|()| {
                    verification.report.note_removed(&segment);
                    false
                })
            }
            None => {
                let is_last = rows.len() < ROWS;
                let step = walk.along(&rows, &mut verification.report.rows);
                progress(verification.report.rows);
                step.and_then(|is_whole| match (is_whole, is_last) {
                    (false, _) | (true, false) => Ok(false),
                    (true, true) => walk.end().map(|()| true),
                })
            }
        };
        match step {
            Ok(true) => return Ok(()),
            Ok(false) => {}
            Err(finding) => {
                verification.report.findings.push(finding);
                return Ok(());
            }
        }
    }
}

impl Walk<'_> {
    /// Along rows that are there. `false` if there is a gap before the end of them that a segment may fill.
    fn along(&mut self, rows: &[StoredEvent], seen: &mut u64) -> Result<bool, Finding> {
        for (index, row) in rows.iter().enumerate() {
            if row.position != Some(self.next) {
                // The first of a page was looked for among the segments already.
                return if index == 0 {
                    Err(self.gap(row))
                } else {
                    Ok(false)
                };
            }
            let position = Position {
                chain: self.chain.number,
                row: self.next,
            };
            let made = row.sealed(self.secret, &self.before, position);
            let found = row.seal.as_deref().and_then(Seal::read);
            if found != Some(made) {
                return Err(self.broken(row, made, found));
            }
            *seen += 1;
            self.before = made.link;
            self.next += 1;
            if let Some(finding) = self.arrive(position.row) {
                return Err(finding);
            }
        }
        Ok(true)
    }

    /// Over rows that were removed when their time was over.
    fn over(&mut self, segment: &Segment, secret: Option<&AuditSecret>) -> Result<(), Finding> {
        let fits = secret.is_some_and(|secret| segment.is_marked(secret));
        let link = Link::read(&segment.link).filter(|_| fits && segment.last >= segment.first);
        let Some(link) = link else {
            let (first, last) = (segment.first, segment.last);
            let detail =
                format!("what is on record of the removed rows {first} to {last} was changed");
            return Err(self.finding(Problem::RecordChanged, None, detail));
        };
        // What was expected of rows inside the segment cannot be seen any more.
        while self
            .expected
            .next_if(|expected| expected.head.length < segment.last)
            .is_some()
        {}
        self.before = link;
        self.next = segment.last + 1;
        if let Some(finding) = self.arrive(segment.last) {
            return Err(finding);
        }
        Ok(())
    }

    /// Compares what others know of this row, the last one that was walked along.
    fn arrive(&mut self, row: i64) -> Option<Finding> {
        let before = self.before;
        while let Some(expected) = self
            .expected
            .next_if(|expected| expected.head.length <= row)
        {
            if expected.head.length == row && expected.head.link != before {
                let by = expected.by;
                let detail = format!("this is not the row that {by} knows");
                self.next = row.max(1);
                return Some(self.finding(Problem::Changed, None, detail));
            }
        }
        if row == self.chain.length && self.chain.link != before.as_bytes() {
            let detail = "what is on record of the end of the chain was changed".to_owned();
            self.next = row.max(1);
            return Some(self.finding(Problem::RecordChanged, None, detail));
        }
        None
    }

    /// There are no more rows.
    fn end(&mut self) -> Result<(), Finding> {
        let longest = self.expected.by_ref().last();
        let (length, by) = match longest {
            Some(expected) if expected.head.length > self.chain.length => {
                (expected.head.length, expected.by)
            }
            _ => (self.chain.length, "its record".to_owned()),
        };
        let missing = length - (self.next - 1);
        if missing < 0 && self.chain.ended_at.is_some() {
            let detail = "what is on record of the end of the chain was changed".to_owned();
            return Err(self.finding(Problem::RecordChanged, None, detail));
        }
        // One that is still written may have grown since its record was read.
        if missing <= 0 {
            return Ok(());
        }
        let detail =
            format!("{missing} rows at the end are gone: {by} says that there were {length}");
        Err(self.finding(Problem::CutOff, None, detail))
    }

    fn gap(&self, row: &StoredEvent) -> Finding {
        let found = row.position.unwrap_or_default();
        let missing = found - self.next;
        let detail = format!("{missing} rows are gone; the next one that is there is row {found}");
        self.finding(Problem::Removed, None, detail)
    }

    fn broken(&self, row: &StoredEvent, made: Seal, found: Option<Seal>) -> Finding {
        let (problem, what) = match found {
            Some(found) if found.own == made.own => (
                Problem::Moved,
                "is one of ours and does not belong in this place",
            ),
            _ => (Problem::Changed, "is not as it was written"),
        };
        let detail = format!("event {} ({}) {what}", row.id, row.action);
        self.finding(problem, Some(row.id.clone()), detail)
    }

    fn finding(&self, problem: Problem, event: Option<String>, detail: String) -> Finding {
        let position = Position {
            chain: self.chain.number,
            row: self.next,
        };
        Finding {
            chain: Some(position.chain),
            row: Some(position.row),
            event,
            problem,
            detail: format!("{position}: {detail}"),
        }
    }
}
