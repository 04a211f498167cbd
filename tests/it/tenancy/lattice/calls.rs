//! The calls that are drawn, and how they are sent.

use serde_json::{Value, json};

use super::world::{Who, World};
use super::{Draw, Set, permissions};
use crate::support::credentials::{Bearer, Key};
use crate::support::test_app::{CART, Issued, PAYMENT};
use crate::support::transcript::Answer;

/// Every kind of call.
pub(super) const NAMES: [&str; 9] = [
    "create",
    "rotate",
    "rotate its own",
    "permissions",
    "patch",
    "disable",
    "revoke",
    "put member",
    "remove member",
];

/// A call that is about to be made.
#[derive(Clone, Debug)]
pub(super) enum Call {
    Create(Value),
    Rotate(String, Value),
    /// With the key itself: its id, and its text.
    RotateOwn(String, String),
    Permissions(String, Set),
    Patch(String, Value),
    Disable(String),
    Revoke(String),
    PutMember(Value),
    RemoveMember,
}

impl Call {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Create(_) => NAMES[0],
            Self::Rotate(..) => NAMES[1],
            Self::RotateOwn(..) => NAMES[2],
            Self::Permissions(..) => NAMES[3],
            Self::Patch(..) => NAMES[4],
            Self::Disable(_) => NAMES[5],
            Self::Revoke(_) => NAMES[6],
            Self::PutMember(_) => NAMES[7],
            Self::RemoveMember => NAMES[8],
        }
    }
}

impl World {
    /// A call of this caller.
    pub(super) fn draw_call(&self, who: Who, draw: &mut Draw) -> Call {
        if who == Who::Holder {
            let key = draw.of(&(0..self.keys.len()).collect::<Vec<_>>());
            let Issued { id, key, .. } = self.keys[key].clone();
            return Call::RotateOwn(id, key);
        }
        let target = self.target(who, draw);
        let limits = self.limits();
        match draw.below(14) {
            0..4 => Call::Create(self.wanted(draw)),
            4..6 => Call::Rotate(target, json!({"grace_seconds": draw.of(&[0, 0, 3600])})),
            6..8 => Call::Permissions(target, draw.set()),
            8..11 => Call::Patch(target, limits[draw.below(limits.len())].clone()),
            11 if draw.one_in(3) => Call::Revoke(target),
            11 => Call::Disable(target),
            12 if draw.one_in(2) => Call::RemoveMember,
            _ => {
                let roles: Vec<&String> = self
                    .roles
                    .iter()
                    .map(|(id, _)| id)
                    .filter(|_| draw.one_in(2))
                    .collect();
                let role = if draw.one_in(4) { "admin" } else { "member" };
                Call::PutMember(json!({"role": role, "roles": roles}))
            }
        }
    }

    /// A key that it concerns: most often one that nobody manages with.
    fn target(&self, who: Who, draw: &mut Draw) -> String {
        if draw.one_in(6) {
            return self.managers[draw.below(self.managers.len())].0.id.clone();
        }
        // A member sees his own alone: mostly one of those.
        let his: Vec<&Issued> = self
            .keys
            .iter()
            .filter(|key| who != Who::Member || key.object["owner"]["sub"] == "member")
            .collect();
        match his.len() {
            0 => self.keys[draw.below(self.keys.len())].id.clone(),
            some => his[draw.below(some)].id.clone(),
        }
    }

    /// A key that is asked for: mostly one that fits under every limit here.
    fn wanted(&self, draw: &mut Draw) -> Value {
        let mut further = json!({
            "permissions": permissions(&draw.set(), &[]), "expires_at": self.shop.app.time_in(5_000),
            "rate_limit": {"requests": 5000, "per_seconds": 1}, "allowed_cidrs": ["127.0.0.1/32"],
            "self_rotate": draw.one_in(2),
        });
        match draw.below(6) {
            0 => further["owner"] = json!(self.member),
            1 => further["owner"] = json!(self.admin),
            _ => {}
        }
        let mut wanted = self.shop.wanted(further);
        if draw.one_in(3) {
            let loose = ["rate_limit", "expires_at", "allowed_cidrs"];
            wanted.as_object_mut().unwrap().remove(draw.of(&loose));
        }
        wanted
    }

    fn limits(&self) -> [Value; 14] {
        [
            json!({"rate_limit": {"requests": 5000, "per_seconds": 1}}),
            json!({"rate_limit": null}),
            json!({"expires_at": self.shop.app.time_in(5_000)}),
            json!({"expires_at": self.shop.app.time_in(50_000)}),
            json!({"expires_at": null}),
            json!({"allowed_cidrs": ["127.0.0.1/32"]}),
            json!({"allowed_cidrs": null}),
            json!({"disabled": false}),
            json!({"owner": null}),
            json!({"owner": self.member}),
            json!({"owner": self.admin}),
            json!({"self_rotate": true}),
            json!({"self_rotate": false}),
            json!({"default_resource": if self.keys.len().is_multiple_of(2) { PAYMENT } else { CART }}),
        ]
    }

    /// Makes the call.
    pub(super) async fn make(&mut self, who: Who, call: &Call) -> Answer {
        let token = self.token(who).await;
        let app = &self.shop.app;
        let by = Bearer(&token);
        let member = format!(
            "/v1/organizations/{}/members/{}",
            self.shop.organization, self.extra
        );
        let key = |id: &str, below: &str| format!("/v1/keys/{id}{below}");
        let (request, body) = match call {
            Call::Create(body) => (app.post("/v1/keys"), Some(body.clone())),
            Call::Rotate(id, body) => (app.post(&key(id, "/rotate")), Some(body.clone())),
            Call::RotateOwn(..) => (app.post("/v1/key/rotate"), None),
            Call::Permissions(id, set) => {
                let body = json!({"permissions": permissions(set, &[])});
                (app.put(&key(id, "/permissions")), Some(body))
            }
            Call::Patch(id, body) => (app.patch(&key(id, "")), Some(body.clone())),
            Call::Disable(id) => (app.patch(&key(id, "")), Some(json!({"disabled": true}))),
            Call::Revoke(id) => (app.delete(&key(id, "")), None),
            Call::PutMember(body) => (app.put(&member), Some(body.clone())),
            Call::RemoveMember => (app.delete(&member), None),
        };
        let request = match call {
            Call::RotateOwn(_, text) => request.by(&Key(text)),
            _ => request.by(&by),
        };
        let request = match body {
            Some(body) => request.json(body),
            None => request,
        };
        let answer = request.send().await;
        if answer.status < 300 && answer["key"].is_string() {
            self.keys.push(Issued::read(answer.clone()));
        }
        answer
    }
}
