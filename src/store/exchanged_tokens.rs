//! What each traded token was made of: for whoever asks whether it still counts.

use diesel::prelude::*;

use super::row::{json, parse_json};
use super::schema::exchanged_tokens;
use super::{Connection, Error, Timestamp};
use crate::domain::id::{CredentialId, ExchangeRuleId, IssuerId, IssuerRuleId};
use crate::domain::scope::ScopeSet;

/// A traded token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExchangedToken {
    /// Its id.
    pub jti: String,
    /// Who asked for it.
    pub client_id: String,
    /// By which rule between our resources, if by one.
    pub rule: Option<ExchangeRuleId>,
    /// The token that it was made of.
    pub subject: MadeOf,
    /// The token that told who acts, if one did.
    pub actor: Option<ActorToken>,
    /// How many trades lie behind it, itself included.
    pub depth: u32,
    /// When it expires.
    pub expires_at: jiff::Timestamp,
}

/// The token that was traded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MadeOf {
    /// One of ours, as much of it as is needed to judge it again.
    Own {
        /// Its id.
        jti: String,
        /// Who signed it.
        kid: String,
        /// Its resource.
        audience: String,
        /// What it permits.
        scope: ScopeSet,
    },
    /// One of a trusted issuer.
    Outside {
        /// The issuer.
        issuer: IssuerId,
        /// The rules of the issuer that it matched.
        rules: Vec<IssuerRuleId>,
    },
}

/// The token that told who acts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ActorToken {
    /// One of ours.
    Own {
        /// Its id.
        jti: String,
        /// Who signed it.
        kid: String,
        /// Whom it stands for: a key or an application.
        subject: String,
        /// The generation, of a key.
        generation: Option<CredentialId>,
    },
    /// One of a trusted issuer.
    Outside {
        /// The issuer.
        issuer: IssuerId,
    },
}

#[derive(Queryable, Insertable)]
#[diesel(table_name = exchanged_tokens)]
struct Row {
    jti: String,
    client_id: String,
    rule_id: Option<String>,
    subject_jti: Option<String>,
    subject_kid: Option<String>,
    subject_audience: Option<String>,
    subject_scope: Option<String>,
    subject_issuer_id: Option<String>,
    subject_rules: Option<String>,
    actor_jti: Option<String>,
    actor_kid: Option<String>,
    actor_subject: Option<String>,
    actor_generation: Option<String>,
    actor_issuer_id: Option<String>,
    depth: i32,
    expires_at: Timestamp,
}

impl From<&ExchangedToken> for Row {
    fn from(token: &ExchangedToken) -> Self {
        let mut row = Self {
            jti: token.jti.clone(),
            client_id: token.client_id.clone(),
            rule_id: token.rule.map(|id| id.to_string()),
            depth: i32::try_from(token.depth).unwrap_or(i32::MAX),
            expires_at: token.expires_at.into(),
            subject_jti: None,
            subject_kid: None,
            subject_audience: None,
            subject_scope: None,
            subject_issuer_id: None,
            subject_rules: None,
            actor_jti: None,
            actor_kid: None,
            actor_subject: None,
            actor_generation: None,
            actor_issuer_id: None,
        };
        match &token.subject {
            MadeOf::Own {
                jti,
                kid,
                audience,
                scope,
            } => {
                row.subject_jti = Some(jti.clone());
                row.subject_kid = Some(kid.clone());
                row.subject_audience = Some(audience.clone());
                row.subject_scope = Some(scope.to_string());
            }
            MadeOf::Outside { issuer, rules } => {
                row.subject_issuer_id = Some(issuer.to_string());
                row.subject_rules = Some(json(rules));
            }
        }
        match &token.actor {
            None => {}
            Some(ActorToken::Own {
                jti,
                kid,
                subject,
                generation,
            }) => {
                row.actor_jti = Some(jti.clone());
                row.actor_kid = Some(kid.clone());
                row.actor_subject = Some(subject.clone());
                row.actor_generation = generation.map(|id| id.to_string());
            }
            Some(ActorToken::Outside { issuer }) => {
                row.actor_issuer_id = Some(issuer.to_string());
            }
        }
        row
    }
}

impl TryFrom<Row> for ExchangedToken {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        macro_rules! read {
            ($column:ident) => {
                row.$column
                    .as_deref()
                    .map(str::parse)
                    .transpose()
                    .map_err(|error| {
                        Error::corrupt(concat!("exchanged_tokens.", stringify!($column)), error)
                    })?
            };
        }
        let half = || Error::corrupt("exchanged_tokens.subject", "neither ours nor an issuer's");
        let subject = match read!(subject_issuer_id) {
            Some(issuer) => MadeOf::Outside {
                issuer,
                rules: parse_json(
                    row.subject_rules.as_deref().unwrap_or("[]"),
                    "exchanged_tokens.subject_rules",
                )?,
            },
            None => MadeOf::Own {
                scope: read!(subject_scope).ok_or_else(half)?,
                jti: row.subject_jti.ok_or_else(half)?,
                kid: row.subject_kid.ok_or_else(half)?,
                audience: row.subject_audience.ok_or_else(half)?,
            },
        };
        let actor = match read!(actor_issuer_id) {
            Some(issuer) => Some(ActorToken::Outside { issuer }),
            None => {
                let generation = read!(actor_generation);
                let actor = row.actor_jti.zip(row.actor_kid).zip(row.actor_subject);
                actor.map(|((jti, kid), subject)| ActorToken::Own {
                    jti,
                    kid,
                    subject,
                    generation,
                })
            }
        };
        Ok(Self {
            rule: read!(rule_id),
            jti: row.jti,
            client_id: row.client_id,
            subject,
            actor,
            depth: u32::try_from(row.depth).unwrap_or(u32::MAX),
            expires_at: row.expires_at.into(),
        })
    }
}

/// Notes one.
pub fn insert(connection: &mut Connection, token: &ExchangedToken) -> Result<(), Error> {
    diesel::insert_into(exchanged_tokens::table)
        .values(Row::from(token))
        .execute(connection)?;
    Ok(())
}

/// A token and all the traded ones that it was made of, in one go: those of `limit` trades at most.
pub fn with_ancestors(
    connection: &mut Connection,
    jti: &str,
    limit: usize,
) -> Result<Vec<ExchangedToken>, Error> {
    let mut found: Vec<ExchangedToken> = Vec::new();
    let mut wanted = vec![jti.to_owned()];
    while !wanted.is_empty() && found.len() < limit {
        let rows: Vec<Row> = exchanged_tokens::table
            .filter(exchanged_tokens::jti.eq_any(&wanted))
            .load(connection)?;
        wanted.clear();
        for row in rows {
            let token = ExchangedToken::try_from(row)?;
            if let MadeOf::Own { jti, .. } = &token.subject {
                wanted.push(jti.clone());
            }
            if let Some(ActorToken::Own { jti, .. }) = &token.actor {
                wanted.push(jti.clone());
            }
            found.push(token);
        }
        wanted.retain(|jti| found.iter().all(|known| known.jti != *jti));
    }
    Ok(found)
}

/// Forgets those that have expired.
pub fn clean(connection: &mut Connection, now: jiff::Timestamp) -> Result<usize, Error> {
    let old = exchanged_tokens::table.filter(exchanged_tokens::expires_at.le(Timestamp::from(now)));
    Ok(diesel::delete(old).execute(connection)?)
}
