//! How rows of the audit trail get their places: the chains that this process writes.
//!
//! A chain is written by one transaction at a time, from its last row to its commit, so a transaction that is rolled back leaves no gap.
//! On SQLite there is one writer and one chain. On PostgreSQL a transaction takes a chain that no other uses at that moment, when it
//! has done all else, and begins one where all are in use: writers that commit side by side never wait for each other, and there are
//! as many chains as there were commits at once. Where nobody knows whether a commit stands, its chain is given up; the next one
//! records how far it surely was.

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use super::Connection;
use super::audit_chains::{self, Chain, Head, Heads, Register};
use super::audit_events::{self, StoredEvent};
use super::error::{Error, Reason};
use crate::domain::audit_chain::{AuditSecret, Link, Position};

/// Clocks of nodes differ, and a row is made before its transaction ends: so much longer ago, a chain may still be news. In
/// microseconds.
const SLACK: i64 = 600 * 1_000_000;

/// Who seals the rows of this process.
pub struct Author {
    /// The name of this run of the server.
    pub node: String,
    /// What new rows are sealed with.
    pub current: Arc<AuditSecret>,
    /// Every audit secret on record.
    pub held: Vec<Arc<AuditSecret>>,
}

/// What a transaction notes for the trail.
#[derive(Default)]
pub(super) struct Entries {
    pub(super) rows: Vec<StoredEvent>,
    pub(super) look_at: Option<jiff::Timestamp>,
    pub(super) end_at: Option<jiff::Timestamp>,
}

impl Entries {
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.look_at.is_none() && self.end_at.is_none()
    }
}

/// The chains of this process.
#[derive(Default)]
pub(super) struct Trail {
    author: RwLock<Option<Arc<Author>>>,
    /// Those that no transaction uses now; the last one is taken first.
    idle: Mutex<Vec<State>>,
}

/// A chain in the hands of one transaction. Unless it is told otherwise, that transaction is rolled back.
pub(super) struct Lane<'a> {
    trail: &'a Trail,
    /// As it is on record.
    stored: State,
    /// As this transaction leaves it.
    open: State,
    is_used: bool,
    /// What is on record is not what this process wrote there.
    is_lost: bool,
    stands: Option<bool>,
}

/// A chain, or the room for one.
#[derive(Clone, Default)]
pub(super) struct State {
    chain: Option<Open>,
    /// How far chains surely were that were given up; for the next one to record.
    lost: Heads,
    looked_at: Option<i64>,
}

#[derive(Clone)]
struct Open {
    chain: Chain,
    /// What is to be found on record.
    on_record: Chain,
    link: Link,
    heads: Heads,
    secret: Arc<AuditSecret>,
}

impl Trail {
    /// Seals with these from now on.
    pub(super) fn write_as(&self, author: Author) {
        let author = Some(Arc::new(author));
        *self.author.write().unwrap_or_else(PoisonError::into_inner) = author;
    }

    /// A chain that nobody else uses until it is dropped. One that is sealed with a secret that was replaced comes first, to be ended.
    pub(super) fn take(&self) -> Lane<'_> {
        let state = {
            let current = self.author().ok().map(|author| author.current.generation());
            let mut idle = self.idle();
            let outdated = idle.iter().position(|state| state.is_outdated(current));
            let with_chain = || idle.iter().rposition(|state| state.chain.is_some());
            match outdated.or_else(with_chain) {
                Some(index) => idle.remove(index),
                None => idle.pop().unwrap_or_default(),
            }
        };
        Lane {
            trail: self,
            open: state.clone(),
            stored: state,
            is_used: false,
            is_lost: false,
            stands: Some(false),
        }
    }

    /// How far the chains are that this process writes and no transaction uses now.
    pub(super) fn heads(&self) -> Heads {
        let mut heads = Heads::default();
        for open in self.idle().iter().filter_map(|state| state.chain.as_ref()) {
            heads.note(open.chain.number, open.head());
        }
        heads
    }

    /// How many chains are sealed with a secret that was replaced, of those that no transaction uses now.
    pub(super) fn outdated(&self) -> usize {
        let current = self.author().ok().map(|author| author.current.generation());
        let idle = self.idle();
        idle.iter()
            .filter(|state| state.is_outdated(current))
            .count()
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<State>> {
        // A list of states cannot be half changed.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn author(&self) -> Result<Arc<Author>, Error> {
        let author = self.author.read().unwrap_or_else(PoisonError::into_inner);
        author.clone().ok_or_else(|| Reason::NoAuditSecret.into())
    }
}

impl Lane<'_> {
    /// Puts rows on record, behind all that the chain has, and whatever else was noted. How far the chain is then is for
    /// [`Self::write`].
    pub(super) fn enter(
        &mut self,
        connection: &mut Connection,
        entries: Entries,
    ) -> Result<(), Error> {
        self.is_used = true;
        let author = self.trail.author()?;
        let outcome = self.open.enter(connection, &author, entries);
        self.check(outcome)
    }

    /// Writes how far the chain is, if that changed.
    pub(super) fn write(&mut self, connection: &mut Connection) -> Result<(), Error> {
        let outcome = match &mut self.open.chain {
            Some(open) => open.write(connection),
            None => Ok(()),
        };
        self.check(outcome)
    }

    /// To be put back by [`Self::restore`] if what is done from here on is undone.
    pub(super) fn state(&self) -> State {
        self.open.clone()
    }

    /// Undoes what was entered since.
    pub(super) fn restore(&mut self, state: State) {
        self.open = state;
    }

    /// Whether the commit stands; none if nobody knows.
    pub(super) fn settle(&mut self, stands: Option<bool>) {
        self.stands = stands;
    }

    fn check(&mut self, outcome: Result<(), Error>) -> Result<(), Error> {
        outcome.map_err(|error| match error {
            // Somebody else wrote where only this process writes: the next transaction begins another chain, and this one is for the
            // verification.
            Error::Conflict { .. } | Error::Corrupt { .. } => {
                self.is_lost = true;
                Error::unavailable(error)
            }
            error => error,
        })
    }
}

impl Drop for Lane<'_> {
    fn drop(&mut self) {
        let mut state = match (self.is_used, self.stands) {
            (true, Some(true)) => std::mem::take(&mut self.open),
            _ => std::mem::take(&mut self.stored),
        };
        let in_doubt = self.is_used && self.stands.is_none();
        if (in_doubt || self.is_lost)
            && let Some(given_up) = state.chain.take()
        {
            tracing::warn!(
                chain = given_up.chain.number,
                rows = given_up.on_record.length,
                "a chain of the audit trail is given up; the next one records how far it was"
            );
            state.lost.note(given_up.chain.number, given_up.head());
        }
        if state.chain.is_some() || !state.lost.0.is_empty() {
            self.trail.idle().push(state);
        }
    }
}

impl State {
    /// Whether its chain is sealed with another secret than this one.
    fn is_outdated(&self, current: Option<i32>) -> bool {
        let sealed_with = self.chain.as_ref().map(|open| open.secret.generation());
        sealed_with.is_some() && sealed_with != current
    }

    fn enter(
        &mut self,
        connection: &mut Connection,
        author: &Author,
        entries: Entries,
    ) -> Result<(), Error> {
        let times = entries.rows.iter().map(|row| row.at);
        let asked = entries.look_at.or(entries.end_at);
        let now = times
            .chain(asked.map(jiff::Timestamp::as_microsecond))
            .max()
            .unwrap_or_default();
        if self.is_outdated(Some(author.current.generation())) {
            self.end(connection, now)?;
        }
        if entries.look_at.is_some() {
            self.look(connection, author, now)?;
        }
        if !entries.rows.is_empty() {
            self.chain(connection, author, now)?
                .add(connection, entries.rows)?;
        }
        if entries.end_at.is_some() {
            self.end(connection, now)?;
        }
        Ok(())
    }

    /// The chain, begun if there is none.
    fn chain(
        &mut self,
        connection: &mut Connection,
        author: &Author,
        now: i64,
    ) -> Result<&mut Open, Error> {
        let chain = match self.chain.take() {
            Some(chain) => chain,
            None => {
                let lost = std::mem::take(&mut self.lost);
                Open::begin(connection, author, lost, now)?
            }
        };
        Ok(self.chain.insert(chain))
    }

    fn end(&mut self, connection: &mut Connection, now: i64) -> Result<(), Error> {
        let Some(mut open) = self.chain.take() else {
            return Ok(());
        };
        open.chain.ended_at = Some(now);
        open.write(connection)
    }

    /// Sees whether the chain is on record as it was left there, and notes how far the others are.
    fn look(
        &mut self,
        connection: &mut Connection,
        author: &Author,
        now: i64,
    ) -> Result<(), Error> {
        let since = self.looked_at.unwrap_or(now).saturating_sub(SLACK);
        self.looked_at = Some(now);
        let own = self.chain.as_ref().map(|open| open.chain.number);
        let mut others = audit_chains::changed_since(connection, since)?;
        others.retain(|chain| Some(chain.number) != own);
        if let Some(open) = &mut self.chain {
            let found = audit_chains::find(connection, open.chain.number)?;
            if found.as_ref() != Some(&open.on_record) {
                return Err(lost(open.chain.number));
            }
            return open.note(connection, &others);
        }
        if !others.is_empty() || !self.lost.0.is_empty() {
            self.chain(connection, author, now)?;
        }
        Ok(())
    }
}

impl Open {
    /// Begins a chain. It records how far those are that no chain before it can have seen.
    fn begin(
        connection: &mut Connection,
        author: &Author,
        lost: Heads,
        now: i64,
    ) -> Result<Self, Error> {
        audit_chains::lock_register(connection)?;
        let newest = audit_chains::newest(connection)?;
        let number = next_number(connection, author, newest.as_ref())?;
        let mut heads = lost;
        if let Some(newest) = newest {
            let since = newest.started_at.saturating_sub(SLACK);
            let changed = audit_chains::changed_since(connection, since)?;
            for chain in changed.iter().chain([&newest]) {
                note(&mut heads, chain);
            }
        }
        let secret = Arc::clone(&author.current);
        let mut chain = Chain {
            number,
            node: author.node.clone(),
            generation: secret.generation(),
            started_at: now,
            length: 0,
            link: Vec::new(),
            heads: heads.to_text(),
            changed_at: now,
            ended_at: None,
            mark: Vec::new(),
        };
        let link = chain.first_link();
        chain.link = link.as_bytes().to_vec();
        chain.mark_with(&secret);
        audit_chains::insert(connection, &chain)?;
        Ok(Self {
            on_record: chain.clone(),
            chain,
            link,
            heads,
            secret,
        })
    }

    fn add(
        &mut self,
        connection: &mut Connection,
        mut rows: Vec<StoredEvent>,
    ) -> Result<(), Error> {
        for row in &mut rows {
            self.chain.length += 1;
            self.chain.changed_at = self.chain.changed_at.max(row.at);
            let position = Position {
                chain: self.chain.number,
                row: self.chain.length,
            };
            let seal = row.sealed(&self.secret, &self.link, position);
            self.link = seal.link;
            row.chain = Some(position.chain);
            row.position = Some(position.row);
            row.seal = Some(seal.to_bytes());
        }
        audit_events::insert(connection, &rows)
    }

    /// Notes how far others are, and forgets those that ended and that a later chain has recorded for good.
    fn note(&mut self, connection: &mut Connection, others: &[Chain]) -> Result<(), Error> {
        for chain in others {
            note(&mut self.heads, chain);
        }
        let numbers: Vec<i64> = self.heads.0.keys().copied().collect();
        let newest = audit_chains::newest(connection)?;
        for chain in audit_chains::with_numbers(connection, &numbers)? {
            let is_recorded = |newest: &Chain| {
                newest.number > chain.number
                    && chain.ended_at.is_some_and(|end| end <= newest.started_at)
            };
            if newest.as_ref().is_some_and(is_recorded) {
                self.heads.0.remove(&chain.number);
            }
        }
        Ok(())
    }

    fn write(&mut self, connection: &mut Connection) -> Result<(), Error> {
        self.chain.link = self.link.as_bytes().to_vec();
        self.chain.heads = self.heads.to_text();
        self.chain.mark_with(&self.secret);
        if self.chain == self.on_record {
            return Ok(());
        }
        if !audit_chains::advance(connection, &self.on_record, &self.chain)? {
            return Err(lost(self.chain.number));
        }
        self.on_record = self.chain.clone();
        Ok(())
    }

    fn head(&self) -> Head {
        Head {
            length: self.chain.length,
            link: self.link,
        }
    }
}

/// The number of a new chain, and notes it in the register. The register must be locked.
fn next_number(
    connection: &mut Connection,
    author: &Author,
    newest: Option<&Chain>,
) -> Result<i64, Error> {
    let register = audit_chains::register(connection)?
        .ok_or_else(|| Error::corrupt("audit_register", "its row is not there"))?;
    let newest = newest.map_or(0, |chain| chain.number);
    let number = register.chains.max(newest) + 1;
    if register.chains == newest && register.is_marked(&author.held)? {
        let register = Register {
            chains: number,
            ..register
        };
        audit_chains::set_register(connection, &register, &author.current)?;
    } else {
        // It is left as it is: a mark of ours would hide what somebody did there.
        tracing::error!(
            chain = number,
            "the register of the audit trail is not as it was left; see kagiya audit verify"
        );
    }
    Ok(number)
}

fn note(heads: &mut Heads, chain: &Chain) {
    let Some(head) = chain.head() else { return };
    let known = heads.0.get(&chain.number);
    if known.is_some_and(|known| known.length > head.length) {
        tracing::error!(
            chain = chain.number,
            "rows at the end of a chain of the audit trail are gone; see kagiya audit verify"
        );
    }
    heads.note(chain.number, head);
}

fn lost(chain: i64) -> Error {
    tracing::error!(
        chain,
        "a chain of the audit trail is not as it was left; see kagiya audit verify"
    );
    Error::corrupt("audit_chains", "somebody else wrote there")
}
