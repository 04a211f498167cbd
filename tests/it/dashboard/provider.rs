//! Signing in at a provider: the authorization code flow, and everything that must not let anybody in.

use serde_json::{Value, json};

use super::{Office, operator};
use crate::support::browser::Browser;
use crate::support::openid_issuer::{CLIENT, Callback, Mood, OpenIdIssuer};
use crate::support::page::Page;
use crate::support::test_app::{ISSUER, Shop, TestApp};

/// Begins to sign in; where the browser is sent.
async fn begin(browser: &Browser<'_>, wanted: &str) -> String {
    let path = format!("/dashboard/sign-in/provider?return_to={wanted}");
    let answer = browser.get(&path).await.expect(303);
    answer.header("location").unwrap().to_owned()
}

/// Signs in as somebody of the provider's; what comes of it.
pub(super) async fn sign_in(
    issuer: &OpenIdIssuer,
    app: &TestApp,
    browser: &Browser<'_>,
    (sub, about): (&str, Value),
) -> Page {
    let location = begin(browser, "/dashboard").await;
    let callback = issuer.authorize(app, &location, sub, (json!({}), about));
    come_back(browser, &callback).await
}

async fn come_back(browser: &Browser<'_>, callback: &Callback) -> Page {
    browser.visit(&callback.path()).await
}

/// Fails unless nobody was let in, and the page says so.
#[track_caller]
fn refused(browser: &Browser<'_>, page: &Page, says: &str) {
    assert!(
        browser.cookie("session").is_none(),
        "somebody was let in\n{}",
        page.text()
    );
    assert!(page.title().starts_with("Error: "), "{}", page.title());
    page.says(says);
}

const ELSEWHERE: &str = "This sign-in was begun elsewhere, or took too long.";
const NOT_GOOD: &str = "The sign-in provider's answer could not be used.";

#[tokio::test]
async fn whoever_signs_in_for_the_first_time_waits_and_is_told_whom_to_ask() {
    let issuer = OpenIdIssuer::start();
    let app = issuer
        .setup(&["olga"])
        .config(|config| config.dashboard.support = Some("keys@example.com".to_owned()))
        .start()
        .await;
    let ann = Browser::new(&app);
    let page = ann.open("/dashboard").await;
    page.says("Sign in with 127.0.0.1");
    assert!(!page.actions().contains(&"/dashboard/sign-in".to_owned()));
    let about = json!({"name": "Ann Example", "email": "ann@example.com"});
    let page = sign_in(&issuer, &app, &ann, ("ann", about))
        .await
        .expect(200);
    page.says("You do not belong to an organization yet")
        .says("Ann Example")
        .says("Ask keys@example.com for an invitation.");
    let id = page
        .text()
        .split_whitespace()
        .find(|word| word.starts_with("usr_"))
        .unwrap()
        .to_owned();
    // The operator of the configuration sees who waits, and lets him in.
    let organization = app.organization("Acme").await;
    let olga = Browser::new(&app);
    let landed = sign_in(&issuer, &app, &olga, ("olga", json!({})))
        .await
        .expect(200);
    assert_eq!(landed.path, "/dashboard/all/keys");
    olga.open("/dashboard/people")
        .await
        .says("1 person signed in and belongs nowhere yet.");
    let waiting = olga.open("/dashboard/people?who=waiting").await;
    waiting.says("Ann Example").never_says("olga@");
    let path = format!("/dashboard/people/{id}");
    let person = olga.open(&path).await;
    let join = format!("{path}/join");
    olga.submit(
        &person,
        &join,
        &[("organization", &organization), ("role", "member")],
    )
    .await;
    let home = ann.open("/dashboard").await;
    assert_eq!(
        home.path,
        format!("/dashboard/organizations/{organization}/keys")
    );
    olga.open("/dashboard/people")
        .await
        .never_says("belongs nowhere");
}

#[tokio::test]
async fn a_person_comes_where_he_wanted_in_his_language() {
    let issuer = OpenIdIssuer::start();
    let app = issuer.setup(&["olga"]).start().await;
    let olga = Browser::new(&app).language("ja");
    let asked = olga.open("/dashboard/resources").await;
    let begin = asked.link("return_to=%2Fdashboard%2Fresources");
    let answer = olga.get(&begin).await.expect(303);
    let location = answer.header("location").unwrap();
    assert!(location.contains("ui_locales=ja"), "{location}");
    let redirect: String = url::form_urlencoded::byte_serialize(
        format!("{ISSUER}/dashboard/sign-in/callback").as_bytes(),
    )
    .collect();
    assert!(location.contains(&redirect), "{location}");
    let callback = issuer.authorize(&app, location, "olga", (json!({}), json!({})));
    let landed = come_back(&olga, &callback).await.expect(200);
    assert_eq!(landed.path, "/dashboard/resources");
    assert_eq!(olga.cookie("attempt"), None);
}

#[tokio::test]
async fn an_answer_belongs_to_the_browser_that_asked_and_counts_once() {
    let issuer = OpenIdIssuer::start();
    let app = issuer.setup(&[]).start().await;
    let authorize =
        |location: &str| issuer.authorize(&app, location, "mallory", (json!({}), json!({})));
    // Login CSRF: the attacker's answer in the victim's browser, which began nothing, or something else.
    let mallory = Browser::new(&app);
    let callback = authorize(&begin(&mallory, "/dashboard").await);
    let victim = Browser::new(&app);
    refused(&victim, &come_back(&victim, &callback).await, ELSEWHERE);
    begin(&victim, "/dashboard").await;
    refused(&victim, &come_back(&victim, &callback).await, ELSEWHERE);
    // Unknown, missing and doubled parameters.
    for change in [
        |callback: Callback| callback.with("state", Some(&"a".repeat(43))),
        |callback: Callback| callback.with("state", None),
        |callback: Callback| callback.twice("state"),
        |callback: Callback| callback.twice("code"),
        |callback: Callback| callback.twice("iss"),
    ] {
        let browser = Browser::new(&app);
        let callback = change(authorize(&begin(&browser, "/dashboard").await));
        refused(&browser, &come_back(&browser, &callback).await, ELSEWHERE);
    }
    // Once: a thief who has the very cookies, and a fresh code, comes second.
    let location = begin(&mallory, "/dashboard").await;
    let (first, again) = (authorize(&location), authorize(&location));
    let thief = mallory.twin();
    come_back(&mallory, &first).await.expect(200);
    refused(&thief, &come_back(&thief, &again).await, ELSEWHERE);
    // Ten minutes.
    let late = Browser::new(&app);
    let location = begin(&late, "/dashboard").await;
    app.pass(600);
    refused(
        &late,
        &come_back(&late, &authorize(&location)).await,
        ELSEWHERE,
    );
}

#[tokio::test]
async fn the_answer_must_name_its_issuer_where_the_issuer_says_that_it_does() {
    let issuer = OpenIdIssuer::start();
    let app = issuer.setup(&[]).start().await;
    let authorize =
        |location: &str| issuer.authorize(&app, location, "ann", (json!({}), json!({})));
    for (named, error) in [
        (Some("https://evil.example"), false),
        (None, false),
        (Some("https://evil.example"), true),
        (None, true),
    ] {
        let browser = Browser::new(&app);
        let mut callback = authorize(&begin(&browser, "/dashboard").await).with("iss", named);
        if error {
            callback = callback
                .with("code", None)
                .with("error", Some("access_denied"));
        }
        refused(&browser, &come_back(&browser, &callback).await, NOT_GOOD);
    }
    let browser = Browser::new(&app);
    let callback = authorize(&begin(&browser, "/dashboard").await)
        .with("code", None)
        .with("error", Some("access_denied"));
    let page = come_back(&browser, &callback).await.expect(422);
    refused(
        &browser,
        &page,
        "The sign-in provider did not let you in (access_denied).",
    );
    // A word of the provider's is repeated only if it is one.
    let callback = authorize(&begin(&browser, "/dashboard").await)
        .with("code", None)
        .with("error", Some("<b>say & do</b>"));
    let page = come_back(&browser, &callback).await;
    refused(&browser, &page, "(no reason)");
    assert!(!page.html.contains("say & do"));
}

#[tokio::test]
async fn one_that_does_not_name_itself_need_not() {
    let issuer = OpenIdIssuer::start();
    issuer.names_itself(false);
    let app = issuer.setup(&[]).start().await;
    let ann = Browser::new(&app);
    sign_in(&issuer, &app, &ann, ("ann", json!({})))
        .await
        .expect(200);
    let bob = Browser::new(&app);
    let callback = issuer.authorize(
        &app,
        &begin(&bob, "/dashboard").await,
        "bob",
        (json!({}), json!({})),
    );
    let callback = callback.with("iss", Some("https://evil.example"));
    refused(&bob, &come_back(&bob, &callback).await, NOT_GOOD);
}

#[tokio::test]
async fn an_id_token_that_is_not_good_lets_nobody_in() {
    let issuer = OpenIdIssuer::start();
    let app = issuer.setup(&[]).start().await;
    let now = app.now().as_second();
    for claims in [
        json!({"nonce": "a".repeat(43)}),
        json!({"nonce": null}),
        json!({"iss": "https://evil.example"}),
        json!({"iss": null}),
        json!({"aud": "somebody-else"}),
        json!({"aud": [CLIENT, "somebody-else"]}),
        json!({"aud": []}),
        json!({"aud": null}),
        json!({"azp": "somebody-else"}),
        json!({"exp": now - 120}),
        json!({"exp": null}),
        json!({"iat": now - 3600}),
        json!({"iat": now + 3600}),
        json!({"iat": null}),
        json!({"sub": null}),
        json!({"sub": ""}),
        json!({"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"}),
    ] {
        let browser = Browser::new(&app);
        let location = begin(&browser, "/dashboard").await;
        let callback = issuer.authorize(&app, &location, "ann", (claims.clone(), json!({})));
        let page = come_back(&browser, &callback).await;
        assert!(browser.cookie("session").is_none(), "{claims}");
        refused(&browser, &page, NOT_GOOD);
    }
    assert_eq!(app.count("SELECT count(*) AS number FROM users").await, 0);
    for claims in [json!({"aud": [CLIENT]}), json!({"azp": CLIENT})] {
        let browser = Browser::new(&app);
        let location = begin(&browser, "/dashboard").await;
        let callback = issuer.authorize(&app, &location, "ann", (claims, json!({})));
        come_back(&browser, &callback).await.expect(200);
    }
}

#[tokio::test]
async fn a_token_signed_by_another_key_lets_nobody_in() {
    let issuer = OpenIdIssuer::start();
    let app = issuer.setup(&[]).start().await;
    let browser = Browser::new(&app);
    let location = begin(&browser, "/dashboard").await;
    // Its keys are known by now; another one calls itself by the same name.
    issuer.rotate("first");
    let callback = issuer.authorize(&app, &location, "ann", (json!({}), json!({})));
    refused(&browser, &come_back(&browser, &callback).await, NOT_GOOD);
    // One that is new is looked up.
    app.pass(31);
    let location = begin(&browser, "/dashboard").await;
    issuer.rotate("second");
    let callback = issuer.authorize(&app, &location, "ann", (json!({}), json!({})));
    come_back(&browser, &callback).await.expect(200);
}

#[tokio::test]
async fn what_is_told_of_another_person_lets_nobody_in() {
    let issuer = OpenIdIssuer::start();
    let app = issuer.setup(&["olga"]).start().await;
    let browser = Browser::new(&app);
    let location = begin(&browser, "/dashboard").await;
    let about = json!({"sub": "olga"});
    let callback = issuer.authorize(&app, &location, "mallory", (json!({}), about));
    refused(&browser, &come_back(&browser, &callback).await, NOT_GOOD);
}

#[tokio::test]
async fn while_the_provider_is_down_nobody_signs_in_and_nothing_else_suffers() {
    let issuer = OpenIdIssuer::start();
    let shop = Shop::on(issuer.setup(&["olga"]).start().await).await;
    let app = &shop.app;
    let olga = Browser::new(app);
    sign_in(&issuer, app, &olga, ("olga", json!({})))
        .await
        .expect(200);
    let key = shop.key().await;
    let began = Browser::new(app);
    let callback = issuer.authorize(
        app,
        &begin(&began, "/dashboard").await,
        "ann",
        (json!({}), json!({})),
    );
    issuer.is(Mood::Down);
    let page = come_back(&began, &callback).await.expect(503);
    refused(&began, &page, "The sign-in provider does not answer.");
    // Beyond the hour for which its documents are remembered.
    app.pass(3700);
    let ann = Browser::new(app);
    let page = ann.visit("/dashboard/sign-in/provider").await.expect(503);
    refused(&ann, &page, "The sign-in provider does not answer.");
    olga.open("/dashboard/all/keys").await.says("checkout");
    app.trade(&key.key).await.expect(200);
    issuer.is(Mood::Well);
    app.pass(31);
    sign_in(&issuer, app, &ann, ("ann", json!({})))
        .await
        .expect(200);
}

#[tokio::test]
async fn a_user_that_stands_behind_a_key_is_no_person() {
    let issuer = OpenIdIssuer::start();
    let shop = Shop::on(issuer.setup(&[]).start().await).await;
    let key = shop.key().await;
    let subject = key.object["identity"]["subject"].as_str().unwrap();
    let browser = Browser::new(&shop.app);
    let page = sign_in(&issuer, &shop.app, &browser, (subject, json!({}))).await;
    refused(
        &browser,
        &page,
        "The sign-in provider did not let you in (machine_user).",
    );
}

#[tokio::test]
async fn accounts_here_stand_beside_the_provider() {
    let issuer = OpenIdIssuer::start();
    let office = Office::on(issuer.setup(&[]).start().await).await;
    let app = office.app();
    operator(app, "Olga").await;
    let browser = Browser::new(app);
    let page = browser.open("/dashboard/sign-in").await;
    page.says("Sign in with 127.0.0.1")
        .says("Or with an account here");
    let fields = [("login_name", "olga"), ("password", super::PASSWORD)];
    browser.submit(&page, "/dashboard/sign-in", &fields).await;
}
