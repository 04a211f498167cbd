//! Who acts for whom: the claims `act` and `may_act` (RFC 8693 §4.1, §4.4).

use serde_json::{Map, Value};

use crate::broker::grant::GrantRefusal;

/// The most actors in a token, the newest included.
const MOST_ACTORS: usize = 8;

/// Members of `may_act` that say nothing of who somebody is (RFC 8693 §4.4).
const NO_IDENTITY: [&str; 5] = ["exp", "nbf", "iat", "aud", "jti"];

/// Who somebody is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::broker) struct Identity {
    /// Who names him.
    pub(in crate::broker) iss: String,
    /// His name there.
    pub(in crate::broker) sub: String,
    /// The client that he came by, if that is known.
    pub(in crate::broker) client_id: Option<String>,
}

impl Identity {
    /// The claim `act` for him. Our own subjects have no issuer beside them: the token's is theirs.
    fn as_actor(&self, ours: &str) -> Map<String, Value> {
        let mut act = Map::new();
        if self.iss != ours {
            act.insert("iss".to_owned(), Value::from(self.iss.as_str()));
        }
        act.insert("sub".to_owned(), Value::from(self.sub.as_str()));
        act
    }

    /// Whether the `may_act` of a token of `issuer` names him: every member that says who somebody is must be right.
    pub(super) fn may_act(&self, claim: &Value, issuer: &str, ours: &str) -> bool {
        let Some(members) = claim.as_object() else {
            return false;
        };
        let mut named = false;
        for (name, value) in members {
            let is = |text: &str| value.as_str() == Some(text);
            let right = match name.as_str() {
                "iss" => is(&self.iss),
                "sub" => is(&self.sub),
                "client_id" => self.client_id.as_deref().is_some_and(is),
                other if NO_IDENTITY.contains(&other) => continue,
                // Who that is cannot be told.
                _ => false,
            };
            if !right {
                return false;
            }
            named |= name != "iss";
        }
        // Without an issuer he is one of the token's, or one of ours.
        let by_whom = members.contains_key("iss") || self.iss == issuer || self.iss == ours;
        named && by_whom
    }
}

/// The claim `act` of a token in which `actor` acts, whose history is `before` (RFC 8693 §4.1): he stands outermost.
pub(super) fn nested(
    actor: &Identity,
    before: Option<&Value>,
    ours: &str,
) -> Result<Value, GrantRefusal> {
    let mut act = actor.as_actor(ours);
    if let Some(before) = before {
        act.insert("act".to_owned(), before.clone());
    }
    let act = Value::Object(act);
    if actors(&act) > MOST_ACTORS {
        return Err(GrantRefusal::TooManyActors);
    }
    Ok(act)
}

fn actors(act: &Value) -> usize {
    let mut number = 0;
    let mut next = Some(act);
    while let Some(act) = next {
        number += 1;
        next = act.get("act");
    }
    number
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const OURS: &str = "https://keys.example.com";
    const THEIRS: &str = "https://sso.example.com";

    fn somebody(iss: &str, sub: &str) -> Identity {
        Identity {
            iss: iss.to_owned(),
            sub: sub.to_owned(),
            client_id: Some("app_a".to_owned()),
        }
    }

    #[test]
    fn te_15_every_member_that_names_somebody_must_be_right() {
        let actor = somebody(OURS, "app_a");
        for (claim, expected) in [
            (json!({"sub": "app_a"}), true),
            (json!({"iss": OURS, "sub": "app_a"}), true),
            (json!({"sub": "app_a", "client_id": "app_a"}), true),
            (json!({"client_id": "app_a"}), true),
            (json!({"sub": "app_a", "exp": 1, "aud": "x"}), true),
            (json!({"iss": THEIRS, "sub": "app_a"}), false),
            (json!({"sub": "app_b"}), false),
            (json!({"sub": "app_a", "client_id": "app_b"}), false),
            (json!({"sub": "app_a", "email": "a@example.com"}), false),
            (json!({"sub": ["app_a"]}), false),
            (json!({"iss": OURS}), false),
            (json!({}), false),
            (json!("app_a"), false),
            (json!(null), false),
        ] {
            assert_eq!(actor.may_act(&claim, OURS, OURS), expected, "{claim}");
        }
    }

    #[test]
    fn te_15_without_an_issuer_it_is_one_of_the_tokens_or_one_of_ours() {
        let claim = json!({"sub": "ann"});
        assert!(somebody(THEIRS, "ann").may_act(&claim, THEIRS, OURS));
        assert!(somebody(OURS, "ann").may_act(&claim, THEIRS, OURS));
        let third = somebody("https://third.example.com", "ann");
        assert!(!third.may_act(&claim, THEIRS, OURS));
    }

    #[test]
    fn te_13_the_newest_actor_stands_outermost_and_what_was_there_stays_as_it_is() {
        let before = json!({"sub": "app_b", "act": {"iss": THEIRS, "sub": "ann"}});
        let act = nested(&somebody(OURS, "app_a"), Some(&before), OURS).unwrap();
        assert_eq!(act, json!({"sub": "app_a", "act": before}));
        let act = nested(&somebody(THEIRS, "bob"), None, OURS).unwrap();
        assert_eq!(act, json!({"iss": THEIRS, "sub": "bob"}));
    }

    #[test]
    fn te_13_eight_actors_are_the_most() {
        let mut act = None;
        for _ in 0..8 {
            act = Some(nested(&somebody(OURS, "app_a"), act.as_ref(), OURS).unwrap());
        }
        let ninth = nested(&somebody(OURS, "app_a"), act.as_ref(), OURS);
        assert!(matches!(ninth, Err(GrantRefusal::TooManyActors)));
    }
}
