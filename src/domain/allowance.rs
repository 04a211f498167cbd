//! What somebody may hold or give at most: everything, or these permissions.

use std::collections::BTreeSet;

use super::id::PermissionId;

/// A bound on permissions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Allowance {
    /// Everything that there is, and that there will be.
    Everything,
    /// These and no others.
    Only(BTreeSet<PermissionId>),
}

impl Allowance {
    /// These and no others.
    pub fn only(permissions: impl IntoIterator<Item = PermissionId>) -> Self {
        Self::Only(permissions.into_iter().collect())
    }

    /// Whether this permission is within it.
    pub fn holds(&self, permission: &PermissionId) -> bool {
        match self {
            Self::Everything => true,
            Self::Only(permissions) => permissions.contains(permission),
        }
    }

    /// What is within both.
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Everything, one) | (one, Self::Everything) => one,
            (Self::Only(one), Self::Only(other)) => {
                Self::Only(one.intersection(&other).copied().collect())
            }
        }
    }

    /// Those of `permissions` that are within it, in their order.
    pub fn cut(&self, permissions: &[PermissionId]) -> Vec<PermissionId> {
        let within = permissions.iter().filter(|id| self.holds(id));
        within.copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::random::SystemRandom;

    #[test]
    fn what_is_within_both_is_within_each() {
        let ids: Vec<_> = (0..3)
            .map(|_| PermissionId::generate(&SystemRandom))
            .collect();
        let (left, right) = (
            Allowance::only(ids[..2].iter().copied()),
            Allowance::only(ids[1..].iter().copied()),
        );
        assert_eq!(left.clone().and(right), Allowance::only([ids[1]]));
        assert_eq!(left.clone().and(Allowance::Everything), left);
        assert_eq!(Allowance::Everything.and(left.clone()), left);
        assert_eq!(left.cut(&ids), ids[..2]);
        assert_eq!(Allowance::Everything.cut(&ids), ids);
    }
}
