//! Who calls, what the operator changes between the calls, and what is seen of it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::calls::Call;
use super::{ALL, Draw, MANAGING, Set, permissions};
use crate::management::{management_token, manager_with};
use crate::support::credentials::{Bearer, Key};
use crate::support::openid_issuer::OpenIdIssuer;
use crate::support::test_app::{CART, Issued, MANAGEMENT, PAYMENT, Shop};
use crate::tenancy::{put_member, role, set_ceiling};

/// Who calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who {
    /// A key with limits.
    Limited,
    /// A key whose owner is an admin.
    Owned,
    /// A key with neither.
    Plain,
    /// Whoever holds the key that the call is about.
    Holder,
    Member,
    Admin,
}

impl Who {
    pub(super) const ALL: [Self; 6] = [
        Self::Limited,
        Self::Owned,
        Self::Plain,
        Self::Holder,
        Self::Member,
        Self::Admin,
    ];

    /// His place among the managing keys.
    fn manager(self) -> Option<usize> {
        match self {
            Self::Limited => Some(0),
            Self::Owned => Some(1),
            Self::Plain => Some(2),
            Self::Holder | Self::Member | Self::Admin => None,
        }
    }
}

pub(super) struct World {
    pub(super) shop: Shop,
    issuer: OpenIdIssuer,
    /// The keys that manage, each with its token and when that was made.
    pub(super) managers: Vec<(Issued, String, jiff::Timestamp)>,
    pub(super) member: String,
    pub(super) admin: String,
    /// Somebody who comes and goes.
    pub(super) extra: String,
    /// Every other key text that was ever shown, newest last.
    pub(super) keys: Vec<Issued>,
    /// Roles for people, and what they bundle now.
    pub(super) roles: Vec<(String, Set)>,
}

/// What there is at one moment.
pub(super) struct Seen {
    /// What each text gives.
    pub(super) gives: BTreeMap<String, Set>,
    /// Whose key each text is.
    ids: BTreeMap<String, String>,
    /// The key objects by their ids.
    pub(super) keys: BTreeMap<String, Value>,
    /// What each person may give.
    pub(super) people: BTreeMap<&'static str, Set>,
    /// Who is an admin.
    pub(super) admins: BTreeSet<&'static str>,
}

impl Seen {
    /// What a key gives, by any of its texts.
    pub(super) fn given_by(&self, id: &str) -> Set {
        let texts = self.ids.iter().filter(|(_, of)| *of == id);
        texts
            .flat_map(|(text, _)| self.gives[text].iter().copied())
            .collect()
    }
}

fn set_in(permissions: &Value) -> Set {
    let there = |(resource, scope): (&str, &str)| {
        permissions.as_array().unwrap().iter().any(|at| {
            at["resource"] == resource && at["scopes"].as_array().unwrap().contains(&json!(scope))
        })
    };
    (0..ALL.len()).filter(|index| there(ALL[*index])).collect()
}

impl World {
    pub(super) async fn new(draw: &mut Draw) -> Self {
        let issuer = OpenIdIssuer::start();
        let shop = Shop::on(issuer.setup(&[]).start().await).await;
        let app = &shop.app;
        let known = async |sub: &str| {
            let token = issuer.token(app, sub);
            let me = app.get("/v1/me").by(&Bearer(&token)).send().await;
            me.expect(200)["user"]["id"].as_str().unwrap().to_owned()
        };
        let (member, admin, extra) = (
            known("member").await,
            known("admin").await,
            known("extra").await,
        );
        let (clerk, cashier) = (
            role(app, "clerk", &[]).await,
            role(app, "cashier", &[]).await,
        );
        put_member(app, (&shop.organization, &member), "member", &[&clerk])
            .await
            .expect(201);
        put_member(app, (&shop.organization, &admin), "admin", &[])
            .await
            .expect(201);
        let mut world = Self {
            shop,
            issuer,
            managers: Vec::new(),
            member,
            admin,
            extra,
            keys: Vec::new(),
            roles: vec![(clerk, Set::new()), (cashier, Set::new())],
        };
        for place in 0..3 {
            let manager = world.manager(place, draw).await;
            world.managers.push(manager);
        }
        for further in [
            json!({"self_rotate": true}),
            json!({"owner": world.member}),
            json!({"owner": world.admin, "rate_limit": {"requests": 5000, "per_seconds": 1}}),
        ] {
            let mut wanted = further;
            wanted["permissions"] = permissions(&draw.set(), &[]);
            world.keys.push(world.shop.issue(wanted).await);
        }
        world
    }

    async fn manager(&self, place: usize, draw: &mut Draw) -> (Issued, String, jiff::Timestamp) {
        let further = match place {
            0 => json!({
                "rate_limit": {"requests": 10_000, "per_seconds": 1}, "allowed_cidrs": ["127.0.0.0/8"],
                "expires_at": self.shop.app.time_in(10_000),
            }),
            1 => json!({"owner": self.admin}),
            _ => json!({}),
        };
        // What is drawn comes after: together with what lets it manage it stands at one resource.
        let made = manager_with(&self.shop, &MANAGING, json!([]), further).await;
        let body = json!({"permissions": permissions(&draw.set(), &MANAGING)});
        let put = self.shop.app.put(&made.key.path("/permissions")).operator();
        put.json(body).send().await.expect(200);
        (made.key, made.token, self.shop.app.now())
    }

    /// Puts a new key in the place of a managing one that cannot manage any more; whether it did.
    pub(super) async fn refresh(&mut self, draw: &mut Draw) -> bool {
        let mut replaced = false;
        for place in 0..self.managers.len() {
            let (key, token, at) = &self.managers[place];
            let old = self.shop.app.now().duration_since(*at).as_secs() > 200;
            let me = self.shop.app.get("/v1/me").by(&Bearer(token)).send().await;
            let can = me.status == 200
                && me["scopes"]
                    .as_array()
                    .unwrap()
                    .contains(&json!("keys:write"));
            if can && !old {
                continue;
            }
            let trade = self.shop.app.post("/v1/token").by(&Key(&key.key));
            let trade = trade.json(json!({"resource": MANAGEMENT})).send().await;
            let manages = trade.status == 200 && trade.text("scope").contains("keys:write");
            if manages {
                let token = management_token(&self.shop, &self.managers[place].0).await;
                let now = self.shop.app.now();
                self.managers[place].1 = token;
                self.managers[place].2 = now;
                continue;
            }
            let organization = format!("/v1/organizations/{}", self.shop.organization);
            let enable = self.shop.app.patch(&organization).operator();
            enable
                .json(json!({"disabled": false}))
                .send()
                .await
                .expect(200);
            self.managers[place] = self.manager(place, draw).await;
            replaced = true;
        }
        replaced
    }

    pub(super) async fn token(&self, who: Who) -> String {
        match who {
            Who::Member => self.issuer.token(&self.shop.app, "member"),
            Who::Admin => self.issuer.token(&self.shop.app, "admin"),
            other => other
                .manager()
                .map_or(String::new(), |place| self.managers[place].1.clone()),
        }
    }

    /// What a text gives now.
    async fn gives(&self, key: &str) -> Set {
        let mut given = Set::new();
        for resource in [PAYMENT, CART, MANAGEMENT] {
            let request = self.shop.app.post("/v1/token").by(&Key(key));
            let answer = request.json(json!({"resource": resource})).send().await;
            if answer.status == 401 {
                break;
            }
            if answer.status != 200 {
                continue;
            }
            let scopes = answer.text("scope");
            let held = |index: &usize| {
                ALL[*index].0 == resource && scopes.split(' ').any(|scope| scope == ALL[*index].1)
            };
            given.extend((0..ALL.len()).filter(held));
        }
        given
    }

    /// What a caller may give now.
    pub(super) async fn held(&self, who: Who, call: &Call) -> Set {
        let held = match (who, call) {
            (Who::Holder, Call::RotateOwn(_, text)) => return self.gives(text).await,
            (Who::Member, _) => return self.may_give("member").await.0,
            (Who::Admin, _) => return self.may_give("admin").await.0,
            (key, _) => match key.manager() {
                Some(place) => self.gives(&self.managers[place].0.key).await,
                None => Set::new(),
            },
        };
        // Rights on the management API no key gives.
        held.into_iter()
            .filter(|index| ALL[*index].0 != MANAGEMENT)
            .collect()
    }

    /// The key that the caller is.
    pub(super) async fn own_object(&self, who: Who, call: &Call) -> Option<Value> {
        let id = match call {
            // Its limits are its own: nothing of them may be looser than before.
            Call::RotateOwn(id, _) => id,
            _ => &self.managers[who.manager()?].0.id,
        };
        Some(self.object(id).await)
    }

    async fn object(&self, id: &str) -> Value {
        let path = format!("/v1/keys/{id}");
        let shown = self.shop.app.get(&path).operator().send().await;
        let mut object = shown.expect(200).json().clone();
        object["owner"] = object["owner"]["id"].clone();
        object
    }

    /// What a person may give by the rules of the contract, whatever the program says: his roles, and the ceiling.
    async fn may_give(&self, sub: &str) -> (Set, bool) {
        let app = &self.shop.app;
        let organization = format!("/v1/organizations/{}", self.shop.organization);
        let shown = app.get(&organization).operator().send().await.expect(200);
        let ceiling = match &shown["permissions"] {
            Value::Null => (0..ALL.len()).collect(),
            limited => set_in(limited),
        };
        let id = match sub {
            "member" => &self.member,
            "admin" => &self.admin,
            _ => &self.extra,
        };
        let member = app.get(&format!("{organization}/members/{id}")).operator();
        let member = member.send().await;
        if member.status == 404 {
            return (Set::new(), false);
        }
        if member["role"] == "admin" {
            return (ceiling, true);
        }
        let roles = member["roles"].as_array().unwrap();
        let mut bundled = Set::new();
        for (role, set) in &self.roles {
            if roles
                .iter()
                .any(|held| held["id"] == role.as_str() || *held == json!(role))
            {
                bundled.extend(set);
            }
        }
        let given = bundled.intersection(&ceiling).copied();
        (
            given.filter(|index| ALL[*index].0 != MANAGEMENT).collect(),
            false,
        )
    }

    /// What there is now.
    pub(super) async fn look(&self) -> Seen {
        let mut seen = Seen {
            gives: BTreeMap::new(),
            ids: BTreeMap::new(),
            keys: BTreeMap::new(),
            people: BTreeMap::new(),
            admins: BTreeSet::new(),
        };
        let managing = self.managers.iter().map(|(key, ..)| key);
        for key in self.keys.iter().chain(managing) {
            seen.gives
                .insert(key.key.clone(), self.gives(&key.key).await);
            seen.ids.insert(key.key.clone(), key.id.clone());
            if !seen.keys.contains_key(&key.id) {
                seen.keys.insert(key.id.clone(), self.object(&key.id).await);
            }
        }
        for sub in ["member", "admin", "extra"] {
            let (given, is_admin) = self.may_give(sub).await;
            seen.people.insert(sub, given);
            if is_admin {
                seen.admins.insert(sub);
            }
        }
        seen
    }

    /// Whether a call takes away, whatever it finds, or stops something.
    pub(super) fn only_narrows(&self, call: &Call, before: &Seen) -> bool {
        match call {
            Call::Disable(_) | Call::Revoke(_) | Call::RemoveMember => true,
            Call::Permissions(id, set) => {
                let there = &before.keys[id]["permissions"];
                set.is_subset(&set_in(there))
            }
            Call::Patch(_, body) => body["self_rotate"] == false,
            _ => false,
        }
    }

    /// The operator changes what they hold.
    pub(super) async fn turn(&mut self, draw: &mut Draw) {
        let app = &self.shop.app;
        let organization = format!("/v1/organizations/{}", self.shop.organization);
        match draw.below(7) {
            0 | 1 => {
                let place = draw.below(self.roles.len());
                let set = draw.set();
                let body = json!({"permissions": permissions(&set, &[])});
                let path = format!("/v1/roles/{}", self.roles[place].0);
                let patch = app.patch(&path).operator().json(body);
                patch.send().await.expect(200);
                self.roles[place].1 = set;
            }
            2 | 3 => {
                let ceiling = match draw.below(3) {
                    0 => Value::Null,
                    _ => permissions(&draw.set(), &MANAGING),
                };
                set_ceiling(&self.shop, ceiling).await.expect(200);
            }
            4 => {
                let rule = draw.of(&["pause", "hand_over", "keep"]);
                let patch = app.patch(&organization).operator();
                let patch = patch.json(json!({"owner_gone": rule})).send().await;
                patch.expect(200);
            }
            5 => app.pass(100),
            _ => {
                let key = &self.managers[draw.below(self.managers.len())].0;
                let body = json!({"permissions": permissions(&draw.set(), &MANAGING)});
                let put = app.put(&key.path("/permissions")).operator().json(body);
                let put = put.send().await;
                assert!(matches!(put.status, 200 | 409), "{}", put.transcript());
                // What its token could do is judged anew at each call.
            }
        }
    }
}
