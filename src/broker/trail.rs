//! What this process does for the chains of the audit trail beside writing rows: it looks at them each minute, writes down how far
//! the others are, tells the log how far its own are, and ends them when it stops.

use jiff::{SignedDuration, Timestamp};

use super::Broker;
use crate::domain::audit_chain::{Anchor, AuditSecret, Position};
use crate::store::audit_chains::{self, Heads, Register};
use crate::store::{self, Author, Transaction, audit_events, audit_segments};

/// After so long without a row a chain that was not ended is taken for one of a server that is no more.
const FORSAKEN: SignedDuration = SignedDuration::from_hours(24);
/// Rows from before there were chains that are put into one at a time.
const ADOPTED: usize = 500;

impl Broker {
    /// Looks at the chains, ends those that are sealed with a secret that was replaced, and logs how far those of this process are that
    /// went on since `logged`.
    ///
    /// The log lies elsewhere than the database: with such a line `kagiya audit verify --anchor` finds even a database that was put back
    /// whole to an earlier state.
    pub(super) async fn tend_trail(&self, logged: &mut Heads) -> Result<(), store::Error> {
        self.look_at_chains().await?;
        for (chain, head) in self.store.heads_of_trail().0 {
            if logged.note(chain, head) {
                let row = head.length;
                let anchor = Anchor {
                    position: Position { chain, row },
                    link: head.link,
                };
                tracing::info!(%anchor, "how far the audit trail is");
            }
        }
        Ok(())
    }

    /// Looks at the chains of this process on record, and ends those that are sealed with a secret that was replaced.
    pub(super) async fn look_at_chains(&self) -> Result<(), store::Error> {
        let now = self.now();
        for _ in 0..self.store.outdated_chains().max(1) {
            let looked = self.store.write(move |tx| {
                tx.look_at_chains(now);
                Ok::<_, store::Error>(())
            });
            looked.await?;
        }
        Ok(())
    }

    /// Ends the chains of this process in good order, so that they are not taken for those of one that crashed.
    pub async fn end_trail(&self) {
        let now = self.now();
        for _ in 0..self.store.heads_of_trail().0.len() {
            let ended = self.store.write(move |tx| {
                tx.end_chain(now);
                Ok::<_, store::Error>(())
            });
            if let Err(error) = ended.await {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "a chain of the audit trail could not be ended"
                );
                return;
            }
        }
    }

    /// Puts the rows into a chain that are from before there were chains.
    pub(super) async fn adopt_unchained(&self) -> Result<(), store::Error> {
        let register = self.store.read(audit_chains::register).await?;
        if !register.is_some_and(|register| register.adopting) {
            return Ok(());
        }
        loop {
            let author = self.secrets.load().author(&self.run);
            let adopted = self.store.write(move |tx| {
                audit_chains::lock_register(tx)?;
                let Some(register) = audit_chains::register(tx)? else {
                    return Ok(true);
                };
                // Else anybody who can write there could have rows of his own sealed.
                if !register.adopting || !register.is_marked(&author.held)? {
                    return Ok(true);
                }
                let rows = audit_events::unchained(tx, ADOPTED)?;
                let all = rows.is_empty();
                if all {
                    let register = Register {
                        adopting: false,
                        ..register
                    };
                    audit_chains::set_register(tx, &register, &author.current)?;
                }
                audit_events::adopt(tx, rows)?;
                Ok::<_, store::Error>(all)
            });
            if adopted.await? {
                return Ok(());
            }
        }
    }
}

/// Marks what is left of chains without rows with the current secret, so that no older one is needed for it. What bears no mark of ours
/// stays as it is: another one would hide what somebody did there.
pub(super) fn mark_anew(
    tx: &mut Transaction<'_>,
    author: &Author,
    now: Timestamp,
) -> Result<(), store::Error> {
    let current = &author.current;
    let held = |generation: i32| -> Option<&AuditSecret> {
        let mut held = author.held.iter();
        held.find(|secret| secret.generation() == generation)
            .map(AsRef::as_ref)
    };
    audit_chains::lock_register(tx)?;
    let register = audit_chains::register(tx)?;
    if let Some(register) = register
        && register.mark.is_some()
        && register.is_marked(&author.held).unwrap_or(false)
    {
        audit_chains::set_register(tx, &register, current)?;
    }
    for mut segment in audit_segments::not_of(tx, current.generation())? {
        if held(segment.generation).is_some_and(|secret| segment.is_marked(secret)) {
            segment.mark_with(current);
            audit_segments::set_mark(tx, &segment)?;
        }
    }
    let forsaken = now.checked_sub(FORSAKEN).unwrap_or(now).as_microsecond();
    for chain in audit_chains::not_of(tx, current.generation())? {
        let is_over = chain.ended_at.is_some() || chain.changed_at < forsaken;
        let is_ours = held(chain.generation).is_some_and(|secret| chain.is_marked(secret));
        if is_over && is_ours && !audit_events::is_any_of_chain(tx, chain.number)? {
            let mut anew = chain.clone();
            anew.mark_with(current);
            audit_chains::advance(tx, &chain, &anew)?;
        }
    }
    Ok(())
}
