//! What must hold in the tables, whenever a server was killed.

use kagiya::store::{Connection, Error};

use crate::support::database::number;

/// What never holds, not even for a moment. Each counts offenders.
const NEVER: [(&str, &str); 4] = [
    (
        "keys with two active generations",
        "SELECT count(*) AS number FROM (SELECT key_id FROM credentials WHERE state = 'active' GROUP BY key_id HAVING count(*) > 1) AS t",
    ),
    (
        "keys with more than two live generations",
        "SELECT count(*) AS number FROM (SELECT key_id FROM credentials WHERE state IN ('active', 'retiring') \
         GROUP BY key_id HAVING count(*) > 2) AS t",
    ),
    (
        "revoked keys with a live generation",
        "SELECT count(*) AS number FROM credentials JOIN api_keys ON api_keys.id = credentials.key_id \
         WHERE revoked_at IS NOT NULL AND state IN ('active', 'retiring')",
    ),
    (
        "issued keys without an active generation",
        "SELECT count(*) AS number FROM api_keys WHERE activated_at IS NOT NULL AND revoked_at IS NULL \
         AND NOT EXISTS (SELECT 1 FROM credentials WHERE key_id = api_keys.id AND state = 'active')",
    ),
];

/// The same of the built-in provider, whose users are in the same database.
const NEVER_BUILT_IN: [(&str, &str); 2] = [
    (
        "live generations without their user",
        "SELECT count(*) AS number FROM credentials WHERE state IN ('active', 'retiring') \
         AND NOT EXISTS (SELECT 1 FROM builtin_users AS u WHERE u.user_name = 'k_' || credentials.user_name)",
    ),
    (
        "users of no live generation that nobody will remove",
        "SELECT count(*) AS number FROM builtin_users AS u \
         WHERE NOT EXISTS (SELECT 1 FROM credentials WHERE 'k_' || user_name = u.user_name AND state IN ('active', 'retiring')) \
         AND NOT EXISTS (SELECT 1 FROM idp_operations WHERE 'k_' || user_name = u.user_name AND done_at IS NULL)",
    ),
];

/// What a start on SQLite undoes before it serves, and a start on PostgreSQL, where another node may be at it, half a minute later.
const HALF_MADE: [(&str, &str); 2] = [
    (
        "half-made generations",
        "SELECT count(*) AS number FROM credentials WHERE state = 'pending'",
    ),
    (
        "half-made keys",
        "SELECT count(*) AS number FROM api_keys WHERE activated_at IS NULL",
    ),
];

/// What does not hold any more once the reconciler had its time, of the built-in provider.
const NOT_IN_THE_END_BUILT_IN: [(&str, &str); 1] = [(
    "users of no live generation",
    "SELECT count(*) AS number FROM builtin_users AS u \
     WHERE NOT EXISTS (SELECT 1 FROM credentials WHERE 'k_' || user_name = u.user_name AND state IN ('active', 'retiring'))",
)];

/// The same wherever users are.
const NOT_IN_THE_END: [(&str, &str); 2] = [
    (
        "operations open, other than the removal of a user at the end of his grace",
        "SELECT count(*) AS number FROM idp_operations WHERE done_at IS NULL AND NOT (kind = 'delete' \
         AND EXISTS (SELECT 1 FROM credentials WHERE id = credential_id AND state = 'retiring'))",
    ),
    (
        "keys made twice: each name was asked for once",
        "SELECT count(*) AS number FROM (SELECT name FROM api_keys GROUP BY name HAVING count(*) > 1) AS t",
    ),
];

/// Where the users of the keys are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Users {
    BuiltIn,
    Elsewhere,
}

/// Offences against what always holds.
pub(crate) fn never(connection: &mut Connection, users: Users) -> Result<Vec<String>, Error> {
    let mut found = offences(connection, &NEVER)?;
    if users == Users::BuiltIn {
        found.extend(offences(connection, &NEVER_BUILT_IN)?);
    }
    Ok(found)
}

/// The same, and what was left half made.
pub(crate) fn half_made(connection: &mut Connection, users: Users) -> Result<Vec<String>, Error> {
    let mut found = never(connection, users)?;
    found.extend(offences(connection, &HALF_MADE)?);
    Ok(found)
}

/// The same, and whatever is not tidied up yet.
pub(crate) fn not_in_the_end(
    connection: &mut Connection,
    users: Users,
) -> Result<Vec<String>, Error> {
    let mut found = half_made(connection, users)?;
    found.extend(offences(connection, &NOT_IN_THE_END)?);
    if users == Users::BuiltIn {
        found.extend(offences(connection, &NOT_IN_THE_END_BUILT_IN)?);
    }
    Ok(found)
}

fn offences(connection: &mut Connection, rules: &[(&str, &str)]) -> Result<Vec<String>, Error> {
    let mut found = Vec::new();
    for (what, query) in rules {
        let number = number(connection, query)?;
        if number > 0 {
            found.push(format!("{number} {what}"));
        }
    }
    Ok(found)
}
