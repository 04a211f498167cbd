//! Behind every gateway: callers who bring a token of kagiya, for the service or for the gateway.

use serde_json::{Value, json};

use super::{Answer, PAYMENT, Scene, ask, claims};

/// The resource that the gateway is.
const GATEWAY: &str = "https://gateway.example.com";

/// A gateway that is an application, and a caller of it.
pub(super) struct Caller {
    /// The application.
    gateway: String,
    /// The caller's key.
    key: String,
}

impl Caller {
    /// Makes both, and has the next start of kagiya know the gateway.
    pub(super) fn of(scene: &Scene) -> Self {
        let text = |made: &Value| made["id"].as_str().unwrap().to_owned();
        let body = json!({"identifier": GATEWAY, "name": "gateway", "permissions": [{"name": "call:payment"}]});
        let own = text(&scene.manage("POST /v1/resources", &body));
        let body = json!({"name": "gateway", "resources": [own]});
        let gateway = text(&scene.manage("POST /v1/applications", &body));
        let rule = json!({
            "application_id": gateway, "subject_resource": GATEWAY, "requires_scope": ["call:payment"],
            "target_resource": PAYMENT, "scopes": ["read:payment"],
        });
        scene.manage("POST /v1/exchange-rules", &rule);
        let permissions = json!([
            {"resource": GATEWAY, "scopes": ["call:payment"]},
            {"resource": PAYMENT, "scopes": ["read:payment"]},
        ]);
        let (_, key) = scene.key(&[], &json!({"permissions": permissions}));
        let path = scene.home.path("kagiya.toml");
        let mut config = std::fs::read_to_string(&path).unwrap();
        config.push_str(&format!("application_id = \"{gateway}\"\n"));
        std::fs::write(path, config).unwrap();
        Self { gateway, key }
    }

    fn bearer(&self, scene: &Scene, resource: &str) -> String {
        let headers = [
            ("X-API-Key", &*self.key),
            ("Content-Type", "application/json"),
        ];
        let body = json!({"resource": resource}).to_string();
        let (status, answer) = ask(scene.kagiya, "POST /v1/token", &headers, &body);
        assert_eq!(status, 200, "{answer}");
        format!("Bearer {}", answer["access_token"].as_str().unwrap())
    }

    /// What the caller's tokens get him; `is` judges an answer.
    pub(super) fn judge(&self, scene: &Scene, is: impl Fn(&Answer, u16, &str)) {
        let service = self.bearer(scene, PAYMENT);
        let gateway = self.bearer(scene, GATEWAY);
        let send = |line: &str, bearer: &str| scene.send(line, &[("Authorization", bearer)]);
        is(
            &send("GET /payments", &service),
            200,
            "a token for the service",
        );
        is(
            &send("GET /payments", &gateway),
            200,
            "a token for the gateway",
        );
        for bearer in [&service, &gateway] {
            is(
                &send("POST /payments", bearer),
                403,
                "a token that permits less",
            );
        }
        for wrong in ["Bearer a.b.c", "Bearer", &format!("{service}x")] {
            is(&send("GET /payments", wrong), 401, "no token");
        }
        let seen = |bearer: &str| {
            let answer = send("GET /echo/a", bearer);
            is(&answer, 200, "what the service sees");
            let seen = answer.seen().into_iter();
            let mut seen = seen.filter(|(name, _)| name.eq_ignore_ascii_case("authorization"));
            let (first, further) = (seen.next(), seen.next());
            assert!(further.is_none(), "{further:?}");
            first.unwrap().1
        };
        assert_eq!(seen(&service), service, "as it is");
        let traded = seen(&gateway);
        assert_ne!(traded, gateway);
        let claims = claims(traded.strip_prefix("Bearer ").unwrap());
        assert_eq!(claims["aud"], PAYMENT);
        assert_eq!(claims["act"], json!({"sub": self.gateway}));
    }
}
