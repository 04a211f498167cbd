//! `?cascade=true` of a deletion: what is in use goes away from those who use it. Without it, they are named and nothing happens.

use serde::Deserialize;
use utoipa::IntoParams;

/// Whether a deletion takes what refers to the thing with it.
#[derive(Clone, Copy, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Cascade {
    /// `true`: also where it is in use; those who use it lose it. Without it, the answer is then 409, which names them.
    #[serde(default)]
    #[param(value_type = Option<bool>)]
    pub cascade: bool,
}
