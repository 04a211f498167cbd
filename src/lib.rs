//! kagiya: permanent API keys over an identity provider whose tokens expire. A key is traded for a short-lived, scoped JWT.
//!
//! The floors of the house; a module imports only from lower ones, and modules on one floor are strangers. `docs/ARCHITECTURE.md`
//! is the map, and traces each operation through the files.
//!
//! - 8 [`cli`]: one file a command
//! - 7 [`server`]: the routing table, the port, how it stops
//! - 6 [`app`]: from a configuration to everything that serves; [`dashboard`]: the pages for people
//! - 5 [`http`]: what a request must look like and how an answer is written
//! - 4 [`broker`]: the use cases, without a word of HTTP or SQL
//! - 3 [`idp`]: where the machine user behind each key lives
//! - 2 [`store`], the only place that knows SQL; [`token`], JSON Web Tokens; [`telemetry`], logs and metrics
//! - 1 [`config`]: file < environment < flag
//! - 0 [`domain`]: types and rules that do no I/O

pub mod app;
pub mod broker;
pub mod cli;
pub mod config;
pub mod dashboard;
pub mod domain;
pub mod http;
pub mod idp;
pub mod server;
pub mod store;
pub mod telemetry;
pub mod token;
