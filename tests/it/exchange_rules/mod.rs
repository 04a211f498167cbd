//! `/v1/exchange-rules`: who may trade whose tokens for what, and who may say so.

mod create;
mod life;
