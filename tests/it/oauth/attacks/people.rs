//! Access tokens of the sign-in provider, by which people manage their keys.

use serde_json::json;

use super::Trap;
use crate::support::credentials::Bearer;
use crate::support::forge::Forge;
use crate::support::openid_issuer::OpenIdIssuer;
use crate::support::signer::Signer;
use crate::support::test_app::{TestApp, claims, jose_header, merged};

/// Tokens as the provider makes them.
fn forge(app: &TestApp, issuer: &OpenIdIssuer) -> Forge {
    let good = issuer.token(app, "ann");
    // An array would hide what is done to it.
    let claims = merged(
        claims(&good),
        json!({"aud": crate::support::test_app::MANAGEMENT}),
    );
    let header = jose_header(&good);
    Forge {
        signer: issuer.signer(),
        stranger: Signer::es256(header["kid"].as_str().unwrap()),
        header,
        claims,
    }
}

#[tokio::test]
async fn attack_as_a_persons_access_token() {
    let issuer = OpenIdIssuer::start();
    let app = issuer.setup(&["ann"]).start().await;
    let forge = forge(&app, &issuer);
    let me = async |token: &str| app.get("/v1/me").by(&Bearer(token)).send().await;
    me(&forge.good()).await.expect(200);
    let trap = Trap::set();
    let mut all = forge.attacks(&trap.url());
    all.push(("13: no client", forge.but(json!({"azp": null}))));
    all.push((
        "13: of another client",
        forge.but(json!({"azp": "another"})),
    ));
    let mut refused = 0;
    // A head that is too long is cut off before anybody reads it.
    for (attack, token) in all.iter().filter(|(_, token)| token.len() < 10_000) {
        let answer = me(token).await;
        let told_all = answer.transcript();
        assert_eq!(answer.status, 401, "{attack}: {token:.200}\n{told_all}");
        refused += 1;
    }
    trap.assert_untouched();
    assert!(refused > 50, "{refused}");
    me(&forge.good()).await.expect(200);
}
