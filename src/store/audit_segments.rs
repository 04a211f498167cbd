//! What is left of rows of the audit trail whose time was over: how many there were, the first and the last, and a digest of all.
//!
//! Rows go only as a whole run of a chain, which was verified before. The link of the last one stays, so what comes behind still holds
//! to it; without the segment, or with one that somebody else wrote, there is a hole.

use diesel::prelude::*;

use super::schema::audit_segments;
use super::{Connection, Error};
use crate::domain::audit_chain::{AuditSecret, Link, Part, Position};

/// Rows of a chain that were removed. Times are microseconds.
#[derive(Clone, Debug, Queryable, Insertable)]
#[diesel(table_name = audit_segments)]
pub struct Segment {
    /// Their chain.
    pub chain: i64,
    /// The first one's number there.
    pub first: i64,
    /// The last one's.
    pub last: i64,
    /// The first one's event.
    pub first_id: String,
    /// When that was.
    pub first_at: i64,
    /// The last one's event.
    pub last_id: String,
    /// When that was.
    pub last_at: i64,
    /// Of all their links, in their order.
    pub digest: Vec<u8>,
    /// The link of the last one.
    pub link: Vec<u8>,
    /// When they were removed.
    pub removed_at: i64,
    /// The audit secret of the mark.
    pub generation: i32,
    /// The mark.
    pub mark: Vec<u8>,
}

impl Segment {
    /// How many rows they were.
    pub fn count(&self) -> u64 {
        u64::try_from(self.last - self.first + 1).unwrap_or(0)
    }

    /// Marks it with a secret.
    pub fn mark_with(&mut self, secret: &AuditSecret) {
        self.generation = secret.generation();
        self.mark = self.marked(secret).as_bytes().to_vec();
    }

    /// Whether it bears the mark that this secret makes.
    pub fn is_marked(&self, secret: &AuditSecret) -> bool {
        self.marked(secret).as_bytes() == &self.mark[..]
    }

    fn marked(&self, secret: &AuditSecret) -> Link {
        let parts = [
            self.chain.into(),
            self.first.into(),
            self.last.into(),
            Part::from(&self.first_id),
            self.first_at.into(),
            Part::from(&self.last_id),
            self.last_at.into(),
            Part::from(&self.digest),
            Part::from(&self.link),
            self.removed_at.into(),
        ];
        secret.mac("segment", &parts)
    }
}

/// Records a segment.
pub fn insert(connection: &mut Connection, new: &Segment) -> Result<(), Error> {
    diesel::insert_into(audit_segments::table)
        .values(new.clone())
        .execute(connection)?;
    Ok(())
}

/// The segment that begins with this row.
pub fn find(connection: &mut Connection, first: Position) -> Result<Option<Segment>, Error> {
    Ok(audit_segments::table
        .find((first.chain, first.row))
        .first(connection)
        .optional()?)
}

/// The last segment of a chain.
pub fn last(connection: &mut Connection, chain: i64) -> Result<Option<Segment>, Error> {
    Ok(audit_segments::table
        .filter(audit_segments::chain.eq(chain))
        .order(audit_segments::first.desc())
        .first(connection)
        .optional()?)
}

/// The segments that are marked with another audit secret than this one.
pub fn not_of(connection: &mut Connection, generation: i32) -> Result<Vec<Segment>, Error> {
    Ok(audit_segments::table
        .filter(audit_segments::generation.ne(generation))
        .load(connection)?)
}

/// Writes another mark.
pub fn set_mark(connection: &mut Connection, segment: &Segment) -> Result<(), Error> {
    diesel::update(audit_segments::table.find((segment.chain, segment.first)))
        .set((
            audit_segments::generation.eq(segment.generation),
            audit_segments::mark.eq(segment.mark.clone()),
        ))
        .execute(connection)?;
    Ok(())
}
