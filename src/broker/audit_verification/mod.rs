//! Is the audit trail what was written? Every row is read again, in pages and beside whoever writes, and every seal made again.
//!
//! What is told: a row that was changed, that stands in another's place, that is gone, or that nobody of ours wrote; rows cut off at the
//! end; a chain that is gone. Of each chain the first such row; a chain that is broken says nothing of what comes behind.

mod walk;

use std::collections::BTreeMap;
use std::sync::Arc;

use thiserror::Error as ThisError;

use self::walk::{Expected, walk};
use super::StartError;
use super::secrets::PurposeSecrets;
use crate::domain::audit_chain::{Anchor, AuditSecret, Position};
use crate::domain::sealed::RootSecret;
use crate::store::audit_chains::{self, Chain, Heads, Register};
use crate::store::audit_events::{self, StoredEvent};
use crate::store::audit_segments::Segment;
use crate::store::{self, Store, deployment};

/// Chains that are read at a time.
const CHAINS: usize = 500;

/// What a verification found.
#[derive(Debug, Default)]
pub struct TrailReport {
    /// Rows whose seals fit.
    pub rows: u64,
    /// Rows that were removed when their time was over, each in a segment that is on record.
    pub removed: u64,
    /// Which ones those were: of each chain, without a gap, one run.
    pub removals: Vec<Removal>,
    /// How many chains there have been.
    pub chains: i64,
    /// How many of them their servers ended in good order.
    pub ended: u64,
    /// The others: their servers run, or ended without a stop, as in a crash.
    pub open: Vec<OpenChain>,
    /// How far the open chains and the newest are.
    pub anchors: Vec<Anchor>,
    /// What is not as it was written; that of the oldest chain first.
    pub findings: Vec<Finding>,
    /// Chains that are sealed with a secret that others know.
    pub on_leaked_secrets: u64,
}

/// Rows that retention removed. Times are microseconds.
#[derive(Clone, Debug)]
pub struct Removal {
    /// Their chain.
    pub chain: i64,
    /// The first one's number there.
    pub first: i64,
    /// The last one's.
    pub last: i64,
    /// When what the first one told happened.
    pub first_at: i64,
    /// And the last one.
    pub last_at: i64,
    /// When the last of them were removed.
    pub removed_at: i64,
}

impl TrailReport {
    fn note_removed(&mut self, segment: &Segment) {
        self.removed += segment.count();
        match self.removals.last_mut() {
            Some(run) if (run.chain, run.last + 1) == (segment.chain, segment.first) => {
                run.last = segment.last;
                run.last_at = segment.last_at;
                run.removed_at = segment.removed_at;
            }
            _ => self.removals.push(Removal {
                chain: segment.chain,
                first: segment.first,
                last: segment.last,
                first_at: segment.first_at,
                last_at: segment.last_at,
                removed_at: segment.removed_at,
            }),
        }
    }
}

/// A chain that its server did not end.
#[derive(Debug)]
pub struct OpenChain {
    /// Its number.
    pub number: i64,
    /// The run of the server that writes it, or wrote it.
    pub node: String,
    /// How many rows it has had.
    pub rows: i64,
    /// When its last row was made, in microseconds.
    pub changed_at: i64,
}

/// Something that is not as it was written.
#[derive(Clone, Debug)]
pub struct Finding {
    /// In which chain, if in one.
    pub chain: Option<i64>,
    /// Which row of it; of rows that are gone the first.
    pub row: Option<i64>,
    /// The id of the event that stands there.
    pub event: Option<String>,
    /// What kind of thing it is.
    pub problem: Problem,
    /// For people.
    pub detail: String,
}

/// How something is not as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// A row says something else.
    Changed,
    /// A row stands where another stood.
    Moved,
    /// Rows are gone, and later ones are there.
    Removed,
    /// Rows at the end of a chain are gone.
    CutOff,
    /// A whole chain is gone.
    ChainRemoved,
    /// A row that this deployment did not write.
    Foreign,
    /// What is on record of a chain, of removed rows or of all chains says something else.
    RecordChanged,
    /// The secret is not on record that the seals were made with.
    SecretMissing,
}

impl Problem {
    /// The word for programs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Moved => "moved",
            Self::Removed => "removed",
            Self::CutOff => "cut_off",
            Self::ChainRemoved => "chain_removed",
            Self::Foreign => "foreign",
            Self::RecordChanged => "record_changed",
            Self::SecretMissing => "secret_missing",
        }
    }
}

/// It could not be verified.
#[derive(Debug, ThisError)]
pub enum VerificationError {
    /// The database or the root secret.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The database.
    #[error("the database cannot be read")]
    Store(#[from] store::Error),
}

/// Verifies the trail. `anchors`: how far chains were at some moment, as was written down elsewhere. `progress` hears how many rows have
/// been read.
///
/// # Errors
/// When it cannot be read to its end. A trail that is broken is an answer, no error.
pub async fn verify_trail(
    store: &Store,
    root: &RootSecret,
    anchors: &[Anchor],
    progress: &mut (dyn FnMut(u64) + Send),
) -> Result<TrailReport, VerificationError> {
    let found = store.read(deployment::find).await?;
    let found = found.ok_or(StartError::NotStarted)?;
    if !super::start::opens(root, &found) {
        return Err(StartError::WrongRootSecret.into());
    }
    let mut verification = Verification {
        store,
        root,
        secrets: load(store, root).await?,
        report: TrailReport::default(),
    };
    verification.run(anchors, progress).await?;
    Ok(verification.report)
}

async fn load(store: &Store, root: &RootSecret) -> Result<PurposeSecrets, StartError> {
    Ok(PurposeSecrets::load(store, root).await?)
}

struct Verification<'a> {
    store: &'a Store,
    root: &'a RootSecret,
    secrets: PurposeSecrets,
    report: TrailReport,
}

/// What is expected of chains that were not read yet.
type Expectations = BTreeMap<i64, Vec<Expected>>;

impl Verification<'_> {
    async fn run(
        &mut self,
        anchors: &[Anchor],
        progress: &mut (dyn FnMut(u64) + Send),
    ) -> Result<(), VerificationError> {
        // Before the chains: none that it counts is begun later.
        let register = self.store.read(audit_chains::register).await?;
        let mut expectations = self.expectations().await?;
        for anchor in anchors {
            let of_chain = expectations.entry(anchor.position.chain).or_default();
            of_chain.push(Expected::by_anchor(anchor));
        }
        let chains = register.as_ref().map_or(0, |register| register.chains);
        self.report.chains = chains;
        let last = expectations.keys().next_back().copied().unwrap_or(0);
        for number in 1..=chains.max(last) {
            let expected = expectations.remove(&number).unwrap_or_default();
            self.chain(number, expected, progress).await?;
        }
        self.register(register).await?;
        self.outside(chains.max(last)).await
    }

    /// How far chains have seen each other, as far as their marks are good.
    async fn expectations(&mut self) -> Result<Expectations, VerificationError> {
        let mut expectations = Expectations::new();
        let mut from = 1;
        loop {
            let page = self
                .store
                .read(move |connection| audit_chains::list(connection, from, CHAINS));
            let page = page.await?;
            let Some(last) = page.last() else {
                return Ok(expectations);
            };
            from = last.number + 1;
            for chain in page {
                // That the chain is there is expected too.
                expectations.entry(chain.number).or_default();
                let Some(secret) = self.secret(chain.generation).await? else {
                    continue;
                };
                let heads = Heads::read(&chain.heads).filter(|_| chain.is_marked(&secret));
                for (number, head) in heads.into_iter().flat_map(|heads| heads.0) {
                    let of_chain = expectations.entry(number).or_default();
                    of_chain.push(Expected::by_chain(chain.number, head));
                }
            }
        }
    }

    async fn chain(
        &mut self,
        number: i64,
        expected: Vec<Expected>,
        progress: &mut (dyn FnMut(u64) + Send),
    ) -> Result<(), VerificationError> {
        let found = self
            .store
            .read(move |connection| audit_chains::find(connection, number));
        let Some(chain) = found.await? else {
            let by = expected.first().map(|expected| expected.by.as_str());
            let by = by.unwrap_or("the register of chains");
            self.report.findings.push(Finding {
                chain: Some(number),
                row: None,
                event: None,
                problem: Problem::ChainRemoved,
                detail: format!("chain {number} is gone; {by} knows of it"),
            });
            return Ok(());
        };
        let Some(secret) = self.secret(chain.generation).await? else {
            let generation = chain.generation;
            self.report.findings.push(Finding {
                chain: Some(number),
                row: None,
                event: None,
                problem: Problem::SecretMissing,
                detail: format!(
                    "chain {number} is sealed with generation {generation} of the audit secret, which is not on record"
                ),
            });
            return Ok(());
        };
        if self.secrets.audit_is_leaked(chain.generation) {
            self.report.on_leaked_secrets += 1;
        }
        self.note(&chain);
        if !chain.is_marked(&secret) {
            self.report.findings.push(Finding {
                chain: Some(number),
                row: None,
                event: None,
                problem: Problem::RecordChanged,
                detail: format!("what is on record of chain {number} was changed"),
            });
        }
        walk(self, &chain, &secret, expected, progress).await?;
        let read = self
            .store
            .read(move |connection| audit_events::misplaced(connection, number));
        let misplaced = read.await?.map(foreign);
        self.report.findings.extend(misplaced);
        Ok(())
    }

    fn note(&mut self, chain: &Chain) {
        let is_newest = chain.number == self.report.chains;
        if chain.ended_at.is_some() {
            self.report.ended += 1;
        } else {
            self.report.open.push(OpenChain {
                number: chain.number,
                node: chain.node.clone(),
                rows: chain.length,
                changed_at: chain.changed_at,
            });
        }
        if let Some(head) = chain.head()
            && (is_newest || chain.ended_at.is_none())
        {
            let (chain, row) = (chain.number, head.length);
            self.report.anchors.push(Anchor {
                position: Position { chain, row },
                link: head.link,
            });
        }
    }

    async fn register(&mut self, register: Option<Register>) -> Result<(), VerificationError> {
        let mut wrong = |detail: &str| {
            self.report.findings.push(Finding {
                chain: None,
                row: None,
                event: None,
                problem: Problem::RecordChanged,
                detail: detail.to_owned(),
            });
        };
        let Some(register) = register else {
            wrong("the register of chains is gone");
            return Ok(());
        };
        // A server that has started has written rows.
        if register.chains == 0 {
            wrong("there is no chain: the whole trail is gone");
            return Ok(());
        }
        let secret = match register.generation {
            Some(generation) => self.secret(generation).await?,
            None => None,
        };
        let held: Vec<Arc<AuditSecret>> = secret.into_iter().collect();
        // A secret that is not on record is one that somebody else wrote there.
        let fits = register.is_marked(&held).unwrap_or(false);
        if !fits {
            self.report.findings.push(Finding {
                chain: None,
                row: None,
                event: None,
                problem: Problem::RecordChanged,
                detail: "the register of chains was changed, or one of its chains is gone"
                    .to_owned(),
            });
        }
        Ok(())
    }

    /// Rows that are in no chain, or in one that was never begun.
    async fn outside(&mut self, last: i64) -> Result<(), VerificationError> {
        let read = self.store.read(move |connection| {
            let found = audit_events::foreign(connection, last)?;
            // In this order: a chain that was begun since is in the register then.
            let register = audit_chains::register(connection)?;
            let begun = register.map_or(0, |register| register.chains);
            let is_begun =
                |row: &StoredEvent| row.chain.is_some_and(|chain| (1..=begun).contains(&chain));
            Ok::<_, store::Error>(found.filter(|row| !is_begun(row)))
        });
        let foreign = read.await?.map(foreign);
        self.report.findings.extend(foreign);
        Ok(())
    }

    /// The audit secret of a number. The secrets are read again for one that is not known: it may have been made since.
    async fn secret(
        &mut self,
        generation: i32,
    ) -> Result<Option<Arc<AuditSecret>>, VerificationError> {
        if self.secrets.audit(generation).is_none() {
            self.secrets = load(self.store, self.root).await?;
        }
        Ok(self.secrets.audit(generation).cloned())
    }
}

fn foreign(row: StoredEvent) -> Finding {
    let place = match (row.chain, row.position) {
        (Some(chain), Some(position)) => format!("at {position} in chain {chain}"),
        (Some(chain), None) => format!("nowhere in chain {chain}"),
        (None, _) => "in no chain".to_owned(),
    };
    Finding {
        chain: row.chain,
        row: row.position,
        detail: format!(
            "event {} ({}) stands {place}, where this deployment writes none",
            row.id, row.action
        ),
        event: Some(row.id),
        problem: Problem::Foreign,
    }
}
