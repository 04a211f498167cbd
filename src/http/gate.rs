//! The gate before the hot path: a malformed or forged key is turned away before it is routed, at the price of one MAC.
//!
//! Floods of bad keys are what strangers can cause at will, so they take the shortest way there is. What is turned away here gets the very
//! answer that the handler would give, and is counted as the handler would; everything else goes on, with the proof of its tag in
//! hand so that none is computed twice.

use std::sync::Arc;

use actix_web::dev::RequestHead;
use actix_web::http::Method;
use actix_web::http::header::AUTHORIZATION;

use super::facts::Facts;
use super::header::X_API_KEY;
use super::key_holder::Refuser;
use super::problem::Problem;
use crate::broker::Broker;
use crate::telemetry::request_log::RequestLog;

/// The path that is guarded: what its query says does not matter to a key that is none.
const PATH: &str = "/v1/token";
/// Where gateways ask, by any method; nothing beside the key matters there either.
const FORWARD_AUTH: &str = "/forward-auth";

/// Turns bad keys away.
#[derive(Clone)]
pub struct Gate {
    /// Who knows a tag of ours.
    pub broker: Arc<Broker>,
    /// Where bad keys are counted.
    pub log: RequestLog,
}

impl Gate {
    /// The answer, if the request presents one key by `X-API-Key` and it is malformed or forged.
    pub(super) fn turn_away(&self, head: &RequestHead, facts: &Facts) -> Option<Problem> {
        let path = head.uri.path();
        let is_trade = path == PATH && head.method == Method::POST;
        let matched = match path.strip_prefix(FORWARD_AUTH) {
            _ if is_trade => PATH,
            Some("") => FORWARD_AUTH,
            Some(below) if below.starts_with('/') => "/forward-auth/{path}",
            _ => return None,
        };
        let mut keys = head.headers.get_all(X_API_KEY);
        let (Some(key), None) = (keys.next(), keys.next()) else {
            return None;
        };
        if is_trade && head.headers.contains_key(AUTHORIZATION) {
            return None;
        }
        let refusal = match self.broker.check_tag(key.as_bytes()) {
            Ok(proof) => {
                if let Some(proof) = proof {
                    facts.keep_tag_proof(proof);
                }
                return None;
            }
            Err(refusal) => refusal,
        };
        facts.matched(matched);
        self.broker.count_refusal(&refusal);
        let refuser = Refuser {
            broker: &self.broker,
            log: &self.log,
            facts,
        };
        Some(refuser.refuse(refusal))
    }
}
