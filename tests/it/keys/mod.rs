//! `/v1/keys`: keys are issued, listed, changed, rotated and revoked.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails here")]

mod bulk_revoke;
mod create;
mod explain;
mod list;
mod patch;
mod permissions;
mod revoke;
mod revoke_leaked;
mod rotate;
mod show;
mod usage;

pub(crate) use self::create::keys_on_record;
