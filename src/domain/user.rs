//! People: who signs in, owns keys, and is a member of organizations.

use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::id::{OrganizationId, RoleId, UserId};
use super::subject::Subject;

/// A person who is known here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// His id.
    pub id: UserId,
    /// Who he is; it never changes.
    pub subject: Subject,
    /// What people call him.
    pub name: Option<String>,
    /// Counts his changes.
    pub version: i64,
    /// Since when he is known.
    pub created_at: Timestamp,
    /// When he last changed.
    pub updated_at: Timestamp,
}

/// What a member is in his organization.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MemberRole {
    /// He has keys of his own, within the user roles that he holds there.
    Member,
    /// He may do there whatever the organization may, and looks after its keys and members.
    Admin,
}

/// The text is neither.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("must be member or admin")]
pub struct ParseMemberRoleError;

impl MemberRole {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Admin => "admin",
        }
    }
}

impl FromStr for MemberRole {
    type Err = ParseMemberRoleError;

    fn from_str(text: &str) -> Result<Self, ParseMemberRoleError> {
        [Self::Member, Self::Admin]
            .into_iter()
            .find(|known| known.as_str() == text)
            .ok_or(ParseMemberRoleError)
    }
}

/// A person in an organization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership {
    /// Where.
    pub organization_id: OrganizationId,
    /// Who.
    pub user_id: UserId,
    /// As what.
    pub role: MemberRole,
    /// The user roles that he holds there, sorted.
    pub roles: Vec<RoleId>,
    /// Counts its changes.
    pub version: i64,
    /// Since when.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}
