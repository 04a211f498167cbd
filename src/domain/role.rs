//! Roles: permissions under one name, for people or for machine-to-machine applications.

use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::id::{PermissionId, RoleId};

/// Who can hold a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RoleKind {
    /// Machine-to-machine applications.
    MachineToMachine,
    /// Members of organizations.
    User,
}

/// The text is neither kind.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("must be machine_to_machine or user")]
pub struct ParseRoleKindError;

impl RoleKind {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MachineToMachine => "machine_to_machine",
            Self::User => "user",
        }
    }
}

impl FromStr for RoleKind {
    type Err = ParseRoleKindError;

    fn from_str(text: &str) -> Result<Self, ParseRoleKindError> {
        [Self::MachineToMachine, Self::User]
            .into_iter()
            .find(|known| known.as_str() == text)
            .ok_or(ParseRoleKindError)
    }
}

/// A role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// Its id.
    pub id: RoleId,
    /// Its name, of which there is only one.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// Who can hold it; it never changes.
    pub kind: RoleKind,
    /// What it bundles, sorted.
    pub permissions: Vec<PermissionId>,
    /// Counts its changes.
    pub version: i64,
    /// Since when it exists.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}
