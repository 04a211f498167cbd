//! What kagiya tells its operator: logs, one line for each request, and metrics. No secret in any of it.
//!
//! [`logs`] is for what happens seldom and goes through `tracing`. A request costs too little for that, so [`request_log`]
//! writes its line by hand, and [`metrics`] resolves every label before the first request. Bad keys, which anybody can send as
//! fast as the network carries them, get no line of their own: [`refusals`] counts them by address.

mod escape;
pub mod logs;
pub mod metrics;
pub mod refusals;
pub mod request_log;
