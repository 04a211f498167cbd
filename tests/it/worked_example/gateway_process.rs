//! A client calls a gateway, which calls the payment service in its name; then one more service behind another gateway.

use serde_json::{Value, json};

use super::{Client, Example, PAY, access_token, payment, rule};
use crate::cli::{Home, PAYMENT, Serving, claims};

const GATEWAY: &str = "https://gateway.example.com";
const CALL: (&str, &str) = (GATEWAY, "call:payment");

struct World {
    home: Home,
    server: Serving,
    payments: Example,
    client: Client,
    gateway: Client,
    proxy: Example,
}

impl World {
    fn new() -> Self {
        let home = Home::new();
        let server = home.serve();
        home.shop();
        let scopes = ["--permission", "call:payment", "--permission", "call:cart"];
        home.kagiya(&[&["resources", "create", GATEWAY][..], &scopes].concat())
            .done();
        let payments = Example::payments(&server);
        let client = Client::make(&home, "client", &[(GATEWAY, "call:payment call:cart"), PAY]);
        let gateway = Client::make(&home, "gateway", &[]);
        rule(&home, &gateway, CALL, PAY);
        let proxy = Example::gateway(&server, payments.address, PAYMENT, &gateway);
        Self {
            home,
            server,
            payments,
            client,
            gateway,
            proxy,
        }
    }

    /// What the audit trail says of the trades by this client, the newest first.
    fn trades(&self, client: &Client, action: &str) -> Vec<Value> {
        let token = self.home.kagiya(&["admin", "token"]).done();
        let bearer = format!("Bearer {}", token.trim());
        let path = format!("/v1/audit-events?action={action}&actor={}", client.id);
        let (status, events) = self.server.ask("GET", &path, &[("Authorization", &bearer)]);
        assert_eq!(status, 200, "{events}");
        events["items"].as_array().unwrap().clone()
    }
}

#[test]
fn the_gateway_trades_the_token_and_never_passes_it_on() {
    let world = World::new();
    let (server, client, gateway) = (&world.server, &world.client, &world.gateway);
    let token = client.granted(server, GATEWAY);
    // The service behind refuses the gateway's token by its audience.
    assert_eq!(world.payments.pay(&token).0, 401);
    assert_eq!(world.proxy.pay(&token), (201, payment()));
    let trades = world.trades(gateway, "token.exchanged");
    assert_eq!(trades.len(), 1);
    assert_eq!(trades[0]["details"]["act"], json!({"sub": gateway.id}));
    // Once more: the traded token is used again.
    assert_eq!(world.proxy.pay(&token).0, 201);
    assert_eq!(world.trades(gateway, "token.exchanged").len(), 1);
    // The scope that the service wants is not among what was traded.
    assert_eq!(world.proxy.ask("GET /payments", &token, "").0, 403);
    let before = claims(&token);
    let traded = access_token(gateway.trade(server, &token, PAYMENT));
    let after = claims(&traded);
    assert_eq!(
        (&after["aud"], &after["sub"]),
        (&json!(PAYMENT), &before["sub"])
    );
    assert_eq!(after["act"]["sub"], gateway.id.as_str());
    assert!(after["exp"].as_i64() <= before["exp"].as_i64());
    assert_eq!(world.payments.pay(&traded).0, 201);
}

#[test]
fn a_second_hop_nests_the_first_actor_unchanged() {
    let mut world = World::new();
    let inner_resource = "https://inner.example.com";
    let line = [
        "resources",
        "create",
        inner_resource,
        "--permission",
        "write:payment",
    ];
    world.home.kagiya(&line).done();
    let inner = Client::make(&world.home, "inner", &[]);
    rule(&world.home, &inner, (inner_resource, "write:payment"), PAY);
    let outer = Client::make(&world.home, "outer", &[]);
    rule(&world.home, &outer, CALL, (inner_resource, "write:payment"));
    let all = [CALL, (inner_resource, "write:payment"), PAY];
    let client = Client::make(&world.home, "caller", &all);
    let second = Example::gateway(&world.server, world.payments.address, PAYMENT, &inner);
    world.proxy = Example::gateway(&world.server, second.address, inner_resource, &outer);
    let token = client.granted(&world.server, GATEWAY);
    assert_eq!(world.proxy.pay(&token), (201, payment()));
    let first = &world.trades(&outer, "token.exchanged")[0]["details"];
    let last = &world.trades(&inner, "token.exchanged")[0];
    assert_eq!(first["act"], json!({"sub": outer.id}));
    assert_eq!(
        last["details"]["act"],
        json!({"sub": inner.id, "act": first["act"]})
    );
    assert_eq!(last["subject"], client.id.as_str());
    assert_eq!(last["details"]["input"]["jti"], first["jti"]);
}

#[test]
fn who_has_no_rule_no_scope_or_is_not_named_gets_nothing_through() {
    let world = World::new();
    let (home, server) = (&world.home, &world.server);
    let token = world.client.granted(server, GATEWAY);
    // No rule.
    let stranger = Client::make(home, "stranger", &[PAY]);
    let strange = Example::gateway(server, world.payments.address, PAYMENT, &stranger);
    assert_eq!(strange.pay(&token).0, 401);
    let (status, refused) = stranger.trade(server, &token, PAYMENT);
    assert_eq!(
        (status, &refused["error"]),
        (400, &json!("unauthorized_client"))
    );
    // Without the scope that the rule requires.
    let form = [
        ("grant_type", "client_credentials"),
        ("resource", GATEWAY),
        ("scope", "call:cart"),
    ];
    let low = access_token(world.client.token(server, &form));
    assert_eq!(world.proxy.pay(&low).0, 401);
    let (status, refused) = world.gateway.trade(server, &low, PAYMENT);
    assert_eq!(
        (status, &refused["error"]),
        (400, &json!("invalid_request"))
    );
    // Not named by may_act.
    let line = [
        "keys",
        "create",
        "--name",
        "bound",
        "--organization",
        "cart",
        "--may-act",
        &stranger.id,
        "--json",
    ];
    let permissions = [
        "--permission",
        GATEWAY,
        "call:payment",
        "--permission",
        PAYMENT,
        "write:payment",
    ];
    let key = home.kagiya(&[&line[..], &permissions].concat()).json();
    let headers = [
        ("X-API-Key", key["key"].as_str().unwrap()),
        ("Content-Type", "application/x-www-form-urlencoded"),
    ];
    let body = format!("resource={GATEWAY}");
    let bound = access_token(crate::cli::ask(
        server.address,
        "POST /v1/token",
        &headers,
        &body,
    ));
    assert_eq!(claims(&bound)["may_act"]["sub"], stranger.id.as_str());
    assert_eq!(world.proxy.pay(&bound).0, 401);
    let reasons: Vec<Value> = world
        .trades(&world.gateway, "token.exchange_refused")
        .iter()
        .map(|event| event["details"]["reason"].clone())
        .collect();
    assert!(
        reasons.contains(&json!("subject_lacks_scope")) && reasons.contains(&json!("may_not_act")),
        "{reasons:?}"
    );
    assert_eq!(world.proxy.ask("GET /payments", "x", "").0, 401);
    assert_eq!(world.proxy.pay(&token).0, 201, "and the right one goes on");
}
