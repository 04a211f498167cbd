//! The chains of the audit trail: how far each is, what it knows of the others, and how many there have ever been.
//!
//! Each row bears a mark that nobody can make without the audit secret. Columns are kept as they are stored, since whoever verifies them
//! must be able to read what somebody else wrote there.

use std::collections::BTreeMap;
use std::sync::Arc;

use diesel::prelude::*;

use super::schema::{audit_chains, audit_register};
use super::{Connection, Error};
use crate::domain::audit_chain::{AuditSecret, Link, Part};

/// A chain as it is on record. Times are microseconds.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Insertable)]
#[diesel(table_name = audit_chains)]
pub struct Chain {
    /// Its number, from 1, in the order in which chains were begun.
    pub number: i64,
    /// Which run of a server writes it.
    pub node: String,
    /// The audit secret that it is sealed with.
    pub generation: i32,
    /// When its first row was made.
    pub started_at: i64,
    /// How many rows it has had.
    pub length: i64,
    /// The link of the last one; that of the chain itself while there is none.
    pub link: Vec<u8>,
    /// How far it has seen the others ([`Heads`]).
    pub heads: String,
    /// When its last row was made.
    pub changed_at: i64,
    /// When its server ended it in good order.
    pub ended_at: Option<i64>,
    /// The mark.
    pub mark: Vec<u8>,
}

/// How far a chain was, at some moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// How many rows it had.
    pub length: i64,
    /// The link of the last one.
    pub link: Link,
}

/// How far others were, by the numbers of the chains.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heads(pub BTreeMap<i64, Head>);

/// How many chains there have ever been.
#[derive(Clone, Debug, Queryable)]
pub struct Register {
    /// The number of the newest.
    pub chains: i64,
    /// Whether there may be rows from before there were chains, which are to be put into one.
    pub adopting: bool,
    /// The audit secret of its mark.
    pub generation: Option<i32>,
    /// The mark; none before the first chain.
    pub mark: Option<Vec<u8>>,
}

impl Chain {
    /// The link that its first row is sealed over.
    pub fn first_link(&self) -> Link {
        let parts = [
            self.number.into(),
            Part::from(&self.node),
            self.started_at.into(),
        ];
        Link::first(&parts)
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
            self.number.into(),
            Part::from(&self.node),
            self.started_at.into(),
            self.length.into(),
            Part::from(&self.link),
            Part::from(&self.heads),
            self.changed_at.into(),
            self.ended_at.into(),
        ];
        secret.mac("end of a chain", &parts)
    }

    /// How far it is; none if that cannot be read.
    pub fn head(&self) -> Option<Head> {
        Link::read(&self.link).map(|link| Head {
            length: self.length,
            link,
        })
    }
}

impl Register {
    /// Whether it bears the mark that one of these secrets makes; before the first chain, whether it bears none.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if the secret of the mark is not among them.
    pub fn is_marked(&self, held: &[Arc<AuditSecret>]) -> Result<bool, Error> {
        let Some((generation, mark)) = self.generation.zip(self.mark.as_ref()) else {
            return Ok(self.chains == 0 && self.mark.is_none());
        };
        let secret = held
            .iter()
            .find(|secret| secret.generation() == generation)
            .ok_or_else(|| Error::unavailable("this node has not read a new audit secret yet"))?;
        Ok(self.marked(secret).as_bytes() == &mark[..])
    }

    fn marked(&self, secret: &AuditSecret) -> Link {
        let parts = [self.chains.into(), i64::from(self.adopting).into()];
        secret.mac("register", &parts)
    }
}

impl Heads {
    /// As it is stored: `[[number,length,"link"],…]`.
    pub fn to_text(&self) -> String {
        let list: Vec<(i64, i64, String)> = self
            .0
            .iter()
            .map(|(number, head)| (*number, head.length, head.link.to_string()))
            .collect();
        super::json(&list)
    }

    /// What is stored; none if it cannot be read.
    pub fn read(text: &str) -> Option<Self> {
        let list: Vec<(i64, i64, String)> = serde_json::from_str(text).ok()?;
        let heads = list.into_iter().map(|(number, length, link)| {
            let link = link.parse().ok()?;
            Some((number, Head { length, link }))
        });
        heads.collect::<Option<_>>().map(Self)
    }

    /// Notes how far a chain is, unless it was further already; whether that is news.
    pub fn note(&mut self, number: i64, head: Head) -> bool {
        let known = self.0.get(&number);
        let is_news = known.is_none_or(|known| known.length < head.length);
        if is_news {
            self.0.insert(number, head);
        }
        is_news
    }
}

/// Begins a chain on record.
pub fn insert(connection: &mut Connection, new: &Chain) -> Result<(), Error> {
    diesel::insert_into(audit_chains::table)
        .values(new.clone())
        .execute(connection)?;
    Ok(())
}

/// Writes how far a chain is. `false` if it is not any more as `before` says: then nothing is written.
pub fn advance(connection: &mut Connection, before: &Chain, chain: &Chain) -> Result<bool, Error> {
    let row = audit_chains::table
        .find(chain.number)
        .filter(audit_chains::mark.eq(before.mark.clone()));
    let rows = diesel::update(row)
        .set((
            audit_chains::generation.eq(chain.generation),
            audit_chains::length.eq(chain.length),
            audit_chains::link.eq(chain.link.clone()),
            audit_chains::heads.eq(chain.heads.clone()),
            audit_chains::changed_at.eq(chain.changed_at),
            audit_chains::ended_at.eq(chain.ended_at),
            audit_chains::mark.eq(chain.mark.clone()),
        ))
        .execute(connection)?;
    Ok(rows == 1)
}

/// The chain of this number.
pub fn find(connection: &mut Connection, number: i64) -> Result<Option<Chain>, Error> {
    Ok(audit_chains::table
        .find(number)
        .first(connection)
        .optional()?)
}

/// Chains from this number on, in their order, at most `limit`.
pub fn list(connection: &mut Connection, from: i64, limit: usize) -> Result<Vec<Chain>, Error> {
    Ok(audit_chains::table
        .filter(audit_chains::number.ge(from))
        .order(audit_chains::number)
        .limit(super::count(limit))
        .load(connection)?)
}

/// The newest chain.
pub fn newest(connection: &mut Connection) -> Result<Option<Chain>, Error> {
    Ok(audit_chains::table
        .order(audit_chains::number.desc())
        .first(connection)
        .optional()?)
}

/// The chains that got a row at this moment or later.
pub fn changed_since(connection: &mut Connection, at: i64) -> Result<Vec<Chain>, Error> {
    Ok(audit_chains::table
        .filter(audit_chains::changed_at.ge(at))
        .load(connection)?)
}

/// The numbers of the chains that were begun before this moment and whose rows have not all been removed.
pub fn with_rows_before(connection: &mut Connection, at: i64) -> Result<Vec<i64>, Error> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = diesel::sql_types::BigInt)]
        number: i64,
    }
    // A number of ours, and a join that the query builder cannot say.
    let statement = format!(
        "SELECT number FROM audit_chains WHERE started_at < {at} AND length > COALESCE(\
         (SELECT MAX(last) FROM audit_segments WHERE chain = number), 0) ORDER BY number"
    );
    let rows: Vec<Row> = diesel::sql_query(statement).load(connection)?;
    Ok(rows.into_iter().map(|row| row.number).collect())
}

/// The chains of these numbers.
pub fn with_numbers(connection: &mut Connection, numbers: &[i64]) -> Result<Vec<Chain>, Error> {
    Ok(audit_chains::table
        .filter(audit_chains::number.eq_any(numbers.to_vec()))
        .load(connection)?)
}

/// The chains that are sealed or marked with another audit secret than this one.
pub fn not_of(connection: &mut Connection, generation: i32) -> Result<Vec<Chain>, Error> {
    Ok(audit_chains::table
        .filter(audit_chains::generation.ne(generation))
        .order(audit_chains::number)
        .load(connection)?)
}

/// How many chains are sealed with each audit secret.
pub fn by_generation(connection: &mut Connection) -> Result<Vec<(i32, i64)>, Error> {
    Ok(audit_chains::table
        .group_by(audit_chains::generation)
        .select((audit_chains::generation, diesel::dsl::count_star()))
        .load(connection)?)
}

/// The register.
pub fn register(connection: &mut Connection) -> Result<Option<Register>, Error> {
    Ok(audit_register::table
        .select((
            audit_register::chains,
            audit_register::adopting,
            audit_register::generation,
            audit_register::mark,
        ))
        .first(connection)
        .optional()?)
}

/// Lets no other transaction begin a chain until this one ends.
pub fn lock_register(connection: &mut Connection) -> Result<(), Error> {
    diesel::update(audit_register::table)
        .set(audit_register::chains.eq(audit_register::chains))
        .execute(connection)?;
    Ok(())
}

/// Writes the register, marked by this secret.
pub fn set_register(
    connection: &mut Connection,
    register: &Register,
    secret: &AuditSecret,
) -> Result<(), Error> {
    diesel::update(audit_register::table)
        .set((
            audit_register::chains.eq(register.chains),
            audit_register::adopting.eq(register.adopting),
            audit_register::generation.eq(secret.generation()),
            audit_register::mark.eq(register.marked(secret).as_bytes().to_vec()),
        ))
        .execute(connection)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_read_as_they_were_written_and_never_go_back() {
        let mut heads = Heads::default();
        let link: Link = "ab".repeat(32).parse().unwrap();
        assert!(heads.note(3, Head { length: 7, link }));
        assert!(!heads.note(3, Head { length: 6, link }));
        assert!(heads.note(1, Head { length: 0, link }));
        let text = heads.to_text();
        assert_eq!(text, format!(r#"[[1,0,"{link}"],[3,7,"{link}"]]"#));
        assert_eq!(Heads::read(&text), Some(heads));
        assert_eq!(Heads::read("[[1,0,\"x\"]]"), None);
        assert_eq!(Heads::read(""), None);
    }
}
