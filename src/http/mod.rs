//! The wire: what a request must look like, who may send it, and how an answer is written.
//!
//! The conventions that every endpoint shares are here, one file each: [`problem`] (errors), [`json`], [`parameters`],
//! [`query`] and [`path`] (what is read), [`page`], [`patch`], [`etag`] and [`idempotency_key`] (what a collection offers),
//! [`access`] (who may call), [`middleware`] (what happens around every request), [`routing`] (how the table becomes routes). The
//! endpoints themselves are in [`api`] (managing) and in the files named after them.

pub mod access;
pub mod address;
pub mod api;
pub mod body;
pub mod cascade;
pub mod code;
mod docs;
pub mod error_pages;
pub mod etag;
pub mod exchange;
pub mod facts;
pub mod form;
pub mod forward_auth;
pub mod gate;
pub mod header;
pub mod health;
pub mod idempotency_key;
pub mod json;
pub mod jwks;
pub mod key_holder;
pub mod key_object;
pub mod management;
pub mod may_act;
pub mod middleware;
pub mod moment;
pub mod oauth;
mod object;
pub mod observer;
pub mod openapi;
pub mod own_key;
pub mod owner;
pub mod page;
pub mod parameters;
pub mod patch;
pub mod path;
pub mod problem;
pub mod query;
mod read_value;
pub mod request_id;
pub mod revocations;
pub mod routing;
pub mod security_headers;
#[cfg(test)]
mod tests;
