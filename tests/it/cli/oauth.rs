//! The commands of the authorization server: applications, their secrets, exchange rules.

use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use super::{Home, PAYMENT, Serving, ask};

const GATEWAY: &str = "https://gateway.example.com";

impl Home {
    /// The id in what a command prints as JSON.
    fn made(&self, line: &[&str]) -> String {
        let answer = self.kagiya(&[line, &["--json"]].concat()).json();
        let id = answer["id"].as_str();
        id.unwrap_or_else(|| panic!("{answer}")).to_owned()
    }

    /// A machine-to-machine role that may pay.
    fn checkout(&self) -> String {
        let kind = ["--kind", "machine_to_machine"];
        let permission = ["--permission", PAYMENT, "write:payment"];
        self.made(&[&["roles", "create", "checkout"][..], &kind, &permission].concat())
    }

    fn secret(&self, file: &str) -> String {
        let secret = std::fs::read_to_string(self.path(file)).unwrap();
        secret.trim_end().to_owned()
    }
}

/// Asks for a token by HTTP Basic.
fn grant(server: &Serving, client: &str, secret: &str) -> (u16, Value) {
    use base64::Engine as _;
    let pair = format!("{client}:{secret}");
    let pair = base64::engine::general_purpose::STANDARD.encode(pair);
    let headers = [
        ("Authorization", &*format!("Basic {pair}")),
        ("Content-Type", "application/x-www-form-urlencoded"),
    ];
    let body = "grant_type=client_credentials";
    ask(server.address, "POST /oauth/token", &headers, body)
}

#[test]
fn an_application_is_made_paused_resumed_and_removed() {
    let home = Home::new();
    let server = home.serve();
    home.shop();
    let role = home.checkout();
    let line = [
        "applications",
        "create",
        "cart service",
        "--role",
        &role,
        "--output",
        "cart.secret",
    ];
    let application = home.made(&line);
    let mode = std::fs::metadata(home.path("cart.secret"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let secret = home.secret("cart.secret");
    let (status, token) = grant(&server, &application, &secret);
    assert_eq!((status, &token["scope"]), (200, &json!("write:payment")));
    let shown = home.kagiya(&["applications", "show", &application]).done();
    assert!(
        shown.contains("write:payment") && !shown.contains(&secret),
        "{shown}"
    );
    let list = home.kagiya(&["applications", "list"]).done();
    assert!(
        list.contains(&application) && list.contains("cart service"),
        "{list}"
    );
    for (command, status) in [("pause", 401), ("resume", 200)] {
        home.kagiya(&["applications", command, &application]).done();
        assert_eq!(grant(&server, &application, &secret).0, status, "{command}");
    }
    home.kagiya(&["applications", "roles", &application]).done();
    let (status, refused) = grant(&server, &application, &secret);
    assert_eq!((status, &refused["error"]), (400, &json!("invalid_target")));
    home.kagiya(&["applications", "roles", &application, &role])
        .done();
    assert_eq!(grant(&server, &application, &secret).0, 200);
    home.kagiya(&["applications", "delete", &application])
        .done();
    assert_eq!(grant(&server, &application, &secret).0, 401);
    home.kagiya(&["applications", "show", &application])
        .refused();
}

#[test]
fn a_secret_is_replaced_without_a_gap_and_never_shown_again() {
    let home = Home::new();
    let server = home.serve();
    home.shop();
    let role = home.checkout();
    let line = [
        "applications",
        "create",
        "cart service",
        "--role",
        &role,
        "--json",
    ];
    let made = home.kagiya(&line).json();
    let (application, old) = (
        made["id"].as_str().unwrap(),
        made["client_secret"].as_str().unwrap(),
    );
    let add = [
        "applications",
        "secrets",
        "add",
        application,
        "--output",
        "new.secret",
    ];
    home.kagiya(&add).done();
    let new = home.secret("new.secret");
    assert_eq!(
        (
            grant(&server, application, old).0,
            grant(&server, application, &new).0
        ),
        (200, 200)
    );
    let list = home
        .kagiya(&["applications", "secrets", "list", application, "--json"])
        .json();
    let items = list["items"].as_array().unwrap();
    assert_eq!(items.len(), 2);
    assert!(!list.to_string().contains(&new) && !list.to_string().contains(old));
    // The newest first.
    let oldest = items[1]["id"].as_str().unwrap();
    home.kagiya(&["applications", "secrets", "remove", application, oldest])
        .done();
    assert_eq!(
        (
            grant(&server, application, old).0,
            grant(&server, application, &new).0
        ),
        (401, 200)
    );
    // A file that is there is not written over.
    let again = home.kagiya(&add).refused();
    assert!(again.contains("new.secret"), "{again}");
    assert_eq!(home.secret("new.secret"), new);
    let late = [
        "applications",
        "secrets",
        "add",
        application,
        "--expires-at",
        "2020-01-01T00:00:00Z",
    ];
    home.kagiya(&late).refused();
}

#[test]
fn an_application_with_keys_of_its_own_has_no_secret() {
    let home = Home::new();
    home.shop();
    let jwks = crate::support::signer::Signer::es256("a").jwks();
    std::fs::write(home.path("public.json"), jwks.to_string()).unwrap();
    let line = [
        "applications",
        "create",
        "deployer",
        "--auth-method",
        "private_key_jwt",
        "--jwks",
        "public.json",
        "--json",
    ];
    let made = home.kagiya(&line).json();
    assert_eq!(made["token_endpoint_auth_method"], "private_key_jwt");
    assert!(made.get("client_secret").is_none(), "{made}");
    let wrong = ["applications", "create", "x", "--jwks", "missing.json"];
    assert!(home.kagiya(&wrong).code.is_some_and(|code| code != 0));
}

#[test]
fn an_exchange_rule_is_made_listed_and_removed() {
    let home = Home::new();
    home.shop();
    home.kagiya(&[
        "resources",
        "create",
        GATEWAY,
        "--permission",
        "call:payment",
    ])
    .done();
    let gateway = home.made(&[
        "applications",
        "create",
        "gateway",
        "--output",
        "gateway.secret",
    ]);
    let line = [
        "exchange-rules",
        "create",
        "--application",
        &gateway,
        "--from",
        GATEWAY,
        "--requires",
        "call:payment",
        "--to",
        PAYMENT,
        "--scopes",
        "write:payment read:payment",
    ];
    let rule = home.made(&line);
    let shown = home
        .kagiya(&["exchange-rules", "show", &rule, "--json"])
        .json();
    for (member, value) in [
        ("application_id", json!(gateway)),
        ("subject_resource", json!(GATEWAY)),
        ("requires_scope", json!(["call:payment"])),
        ("target_resource", json!(PAYMENT)),
        ("scopes", json!(["read:payment", "write:payment"])),
        ("delegation", json!(true)),
        ("impersonation", json!(false)),
        ("subject_must_hold", json!(true)),
    ] {
        assert_eq!(shown[member], value, "{member}");
    }
    let told = home.kagiya(&["exchange-rules", "show", &rule]).done();
    assert!(told.contains("read:payment write:payment"), "{told}");
    let list = home
        .kagiya(&["exchange-rules", "list", "--application", &gateway])
        .done();
    assert!(list.contains(&rule) && list.contains(PAYMENT), "{list}");
    let again = home.kagiya(&line).refused();
    assert!(again.contains("already"), "{again}");
    let used = home.kagiya(&["applications", "delete", &gateway]).refused();
    assert!(used.contains(&rule), "{used}");
    home.kagiya(&["exchange-rules", "delete", &rule]).done();
    home.kagiya(&["exchange-rules", "show", &rule]).refused();
    let quiet = [
        &line[..],
        &[
            "--impersonation",
            "--no-delegation",
            "--subject-need-not-hold",
        ],
    ]
    .concat();
    let quiet = home.kagiya(&[&quiet[..], &["--json"]].concat()).json();
    assert_eq!(
        [
            &quiet["delegation"],
            &quiet["impersonation"],
            &quiet["subject_must_hold"]
        ],
        [&json!(false), &json!(true), &json!(false)]
    );
    home.kagiya(&["applications", "delete", &gateway, "--cascade"])
        .done();
    let list = home.kagiya(&["exchange-rules", "list", "--json"]).json();
    assert_eq!(list["items"], json!([]));
}
