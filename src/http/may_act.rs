//! `may_act` of keys and applications (RFC 8693 §4.4): who may act for them, where a rule lets anybody.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::id::ApplicationId;

/// Who may act, as a request names him.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MayAct {
    /// An application.
    #[schema(value_type = String, example = "app_2qk5c7hnv3xw6yjz4m2tq7rdpa")]
    pub application_id: ApplicationId,
}

/// Who may act, as an answer names him.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct MayActObject {
    /// An application.
    #[schema(value_type = String, example = "app_2qk5c7hnv3xw6yjz4m2tq7rdpa")]
    application_id: ApplicationId,
}

impl From<ApplicationId> for MayActObject {
    fn from(application_id: ApplicationId) -> Self {
        Self { application_id }
    }
}
