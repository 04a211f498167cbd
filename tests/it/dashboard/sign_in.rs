//! Built-in users: links that let somebody in once, names and passwords.

use serde_json::json;

use super::{Office, PASSWORD, join, last, link, operator};
use crate::support::browser::Browser;
use crate::support::page::Page;
use crate::support::test_app::TestApp;

/// Tries to sign in; the page that comes of it.
async fn try_sign_in(browser: &Browser<'_>, name: &str, password: &str) -> Page {
    let page = browser.open("/dashboard/sign-in").await;
    let fields = [("login_name", name), ("password", password)];
    browser
        .try_submit(&page, "/dashboard/sign-in", &fields)
        .await
}

#[tokio::test]
async fn the_first_operator_comes_in_by_a_link_that_works_once() {
    let app = TestApp::new().await;
    let nobody = Browser::new(&app);
    nobody
        .open("/")
        .await
        .says("Nobody has an account here yet.")
        .says("kagiya admin sign-in-link");
    let link = link(&app, json!({"purpose": "operator"})).await;
    let browser = Browser::new(&app);
    let asked = browser.open(&link).await;
    asked.says("An operator sees and stops everything here");
    let landed = join(&browser, &link, "Olga").await;
    assert_eq!(landed.path, "/dashboard/all/keys");
    landed.says("You are an operator.").says("Olga");
    // What was done is told once.
    browser
        .open("/dashboard/all/keys")
        .await
        .never_says("You are an operator.");
    for other in [&browser, &nobody] {
        other.misses(&link).await.says("This link cannot be used");
    }
    let events = app
        .get("/v1/audit-events?action=operator.granted")
        .operator();
    let events = events.send().await.expect(200);
    assert_eq!(events["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn an_operators_link_works_on_the_servers_own_machine_alone_unless_told_otherwise() {
    let app = TestApp::new().await;
    let near = link(&app, json!({"purpose": "operator"})).await;
    let far = link(&app, json!({"purpose": "operator", "loopback": false})).await;
    let elsewhere = Browser::new(&app).at("203.0.113.9");
    let answer = elsewhere.get(&near).await.expect(403);
    let text = String::from_utf8(answer.body).unwrap();
    assert!(text.contains("own machine"), "{text}");
    elsewhere.open(&far).await.says("Become an operator");
    Browser::new(&app)
        .open(&near)
        .await
        .says("Become an operator");
}

#[tokio::test]
async fn a_link_ends_with_its_time() {
    let office = Office::new().await;
    let app = office.app();
    let organization = &office.shop.organization;
    let to_join = json!({"purpose": "invitation", "organization_id": organization});
    for (body, seconds) in [
        (json!({"purpose": "operator"}), 15 * 60),
        (to_join, 7 * 24 * 3600),
    ] {
        let link = link(app, body).await;
        let browser = Browser::new(app);
        app.pass(seconds - 1);
        let page = browser.open(&link).await;
        app.pass(1);
        browser.misses(&link).await;
        let login = [
            ("name", "Ann"),
            ("login_name", "ann"),
            ("password", PASSWORD),
        ];
        browser.try_submit(&page, &link, &login).await.expect(404);
    }
}

#[tokio::test]
async fn a_link_that_nobody_made_looks_like_one_that_was_used() {
    let app = TestApp::new().await;
    let link = link(&app, json!({"purpose": "operator"})).await;
    let browser = Browser::new(&app);
    join(&browser, &link, "Olga").await;
    let strange = format!("/dashboard/links/{}", "a".repeat(43));
    let stranger = Browser::new(&app);
    let used = stranger.misses(&link).await;
    assert_eq!(stranger.misses(&strange).await.text(), used.text());
    assert_eq!(
        stranger.misses("/dashboard/links/nonsense").await.text(),
        used.text()
    );
}

#[tokio::test]
async fn what_cannot_be_taken_is_told_beside_its_field_and_uses_nothing_up() {
    let app = TestApp::new().await;
    operator(&app, "Olga").await;
    let link = link(&app, json!({"purpose": "operator"})).await;
    let browser = Browser::new(&app);
    for (name, login, password, says) in [
        ("", "ann", PASSWORD, "Fill this in"),
        ("Ann", "an n", PASSWORD, "Without spaces"),
        ("Ann", "OLGA", PASSWORD, "Somebody has that name already"),
        ("Ann", "ann", "short", "At least 12 characters"),
        ("Ann", "ann", "aaaaaaaaaaaaaaaa", "Too easy to guess"),
    ] {
        let page = browser.open(&link).await;
        let fields = [
            ("name", name),
            ("login_name", login),
            ("password", password),
        ];
        let again = browser.try_submit(&page, &link, &fields).await.expect(422);
        assert!(again.title().starts_with("Error: "), "{}", again.title());
        again.says(says).says("Some fields need another look.");
        // What was typed is kept, but for the password.
        let form = again.form(&link);
        assert_eq!(form.value("login_name"), Some(login));
        assert_eq!(form.value("password"), Some(""));
    }
    join(&browser, &link, "Ann").await;
}

#[tokio::test]
async fn somebody_signs_in_by_name_and_password_and_comes_where_he_wanted() {
    let office = Office::new().await;
    office.admin("Ann").await;
    let browser = Browser::new(office.app());
    let wanted = office.path("/members");
    let asked = browser.open(&wanted).await;
    assert!(
        asked.path.starts_with("/dashboard/sign-in?return_to="),
        "{}",
        asked.path
    );
    // Upper and lower case are the same in a name, and are not in a password.
    let fields = [("login_name", "ANN"), ("password", PASSWORD)];
    let landed = browser.submit(&asked, "/dashboard/sign-in", &fields).await;
    assert_eq!(landed.path, wanted);
    landed.says("Admin");
    // Whoever is in is not asked again.
    assert_eq!(
        browser.open("/dashboard/sign-in").await.path,
        office.path("/keys")
    );
}

#[tokio::test]
async fn nobody_is_told_whether_name_or_password_was_wrong() {
    let office = Office::new().await;
    office.member("Ann").await;
    let browser = Browser::new(office.app());
    let mut seen = Vec::new();
    for (name, password) in [
        ("ann", "not her password at all"),
        ("nobody", PASSWORD),
        ("ann", ""),
        ("ann", "CORRECT HORSE BATTERY STAPLE"),
    ] {
        let page = try_sign_in(&browser, name, password).await.expect(422);
        assert!(page.title().starts_with("Error: "));
        seen.push(page.text());
        assert_eq!(browser.cookie("session"), None);
    }
    seen.dedup();
    assert_eq!(seen.len(), 1, "{seen:?}");
    // The name that was typed is kept; a failure at an account that exists is on record.
    let page = try_sign_in(&browser, "ann", "wrong").await;
    assert_eq!(
        page.form("/dashboard/sign-in").value("login_name"),
        Some("ann")
    );
    let failed = office
        .app()
        .get("/v1/audit-events?action=sign_in.failed")
        .operator();
    let failed = failed.send().await.expect(200);
    assert_eq!(failed["items"].as_array().unwrap().len(), 4);
}

#[tokio::test]
async fn one_name_is_tried_only_so_often_from_wherever() {
    let office = Office::new().await;
    office.member("Ann").await;
    const ADDRESSES: [&str; 11] = [
        "192.0.2.1",
        "192.0.2.2",
        "192.0.2.3",
        "192.0.2.4",
        "192.0.2.5",
        "192.0.2.6",
        "192.0.2.7",
        "192.0.2.8",
        "192.0.2.9",
        "192.0.2.10",
        "192.0.2.11",
    ];
    for (index, address) in ADDRESSES.into_iter().enumerate() {
        let browser = Browser::new(office.app()).at(address);
        let page = try_sign_in(&browser, "ann", "wrong").await;
        page.expect(if index < 10 { 422 } else { 429 });
    }
    // The right one too: else a guess would be told by the answer.
    let browser = Browser::new(office.app()).at("192.0.2.99");
    let refused = try_sign_in(&browser, "ann", PASSWORD).await.expect(429);
    let wait: i64 = refused
        .answer
        .header("retry-after")
        .unwrap()
        .parse()
        .unwrap();
    assert!((1..=90).contains(&wait), "{wait}");
    office.app().pass(wait);
    try_sign_in(&browser, "ann", PASSWORD).await.expect(200);
}

#[tokio::test]
async fn one_address_tries_only_so_often_whatever_the_name() {
    let app = TestApp::new().await;
    operator(&app, "Olga").await;
    let browser = Browser::new(&app).at("198.51.100.7");
    let page = browser.open("/dashboard/sign-in").await;
    let mut refused = 0;
    for number in 0..35 {
        let name = format!("name{number}");
        let fields = [("login_name", name.as_str()), ("password", "wrong")];
        let answer = browser
            .try_submit(&page, "/dashboard/sign-in", &fields)
            .await;
        refused += usize::from(answer.answer.status == 429);
    }
    assert_eq!(refused, 5);
    let elsewhere = Browser::new(&app).at("198.51.100.8");
    try_sign_in(&elsewhere, "olga", PASSWORD).await.expect(200);
}

#[tokio::test]
async fn nobody_is_sent_elsewhere_by_signing_in() {
    let app = TestApp::new().await;
    operator(&app, "Olga").await;
    for evil in [
        "https://evil.example/",
        "//evil.example",
        "/dashboard//evil.example",
        "/dashboard\\evil.example",
        "javascript:alert(1)",
        "/v1/me",
    ] {
        let browser = Browser::new(&app);
        let to: String = url::form_urlencoded::byte_serialize(evil.as_bytes()).collect();
        let page = browser
            .open(&format!("/dashboard/sign-in?return_to={to}"))
            .await;
        let form = page.form("/dashboard/sign-in");
        assert_eq!(form.value("return_to"), Some("/dashboard"), "{evil}");
        let mut fields = form.filled(&[("login_name", "olga"), ("password", PASSWORD)]);
        for (name, value) in &mut fields {
            if name == "return_to" {
                *value = evil.to_owned();
            }
        }
        let answer = browser
            .post("/dashboard/sign-in", &fields)
            .await
            .expect(303);
        assert_eq!(answer.header("location"), Some("/dashboard"), "{evil}");
    }
}

#[tokio::test]
async fn a_forgotten_password_is_replaced_by_a_link_and_everybody_else_is_out() {
    let office = Office::new().await;
    let app = office.app();
    let olga = operator(app, "Olga").await;
    let ann = office.member("Ann").await;
    let listed = olga.open("/dashboard/people?q=Ann").await;
    let person = listed
        .links()
        .into_iter()
        .find(|link| link.contains("/people/usr_"))
        .unwrap();
    let path = format!("{person}/password-link");
    let page = olga.open(&person).await;
    let made = olga.submit(&page, &path, &[]).await;
    let first = last(&made.secret().unwrap());
    // A second link ends the first.
    let made = olga.submit(&page, &path, &[]).await;
    let second = format!("/dashboard/links/{}", last(&made.secret().unwrap()));
    let fresh = Browser::new(app);
    fresh.misses(&format!("/dashboard/links/{first}")).await;
    let page = fresh.open(&second).await;
    page.says("For ann.");
    fresh
        .try_submit(&page, &second, &[("password", "ann ann ann ann")])
        .await
        .expect(422);
    const NEW: &str = "another horse, another battery";
    let landed = fresh.submit(&page, &second, &[("password", NEW)]).await;
    assert_eq!(landed.path, office.path("/keys"));
    landed.says("The password is changed.");
    assert!(
        ann.open("/dashboard")
            .await
            .path
            .starts_with("/dashboard/sign-in")
    );
    let other = Browser::new(app);
    try_sign_in(&other, "ann", PASSWORD).await.expect(422);
    try_sign_in(&other, "ann", NEW).await.expect(200);
}

#[tokio::test]
async fn without_accounts_here_nobody_makes_himself_one() {
    let app = TestApp::setup()
        .config(|config| config.dashboard.local_accounts = false)
        .start()
        .await;
    let link = link(&app, json!({"purpose": "operator"})).await;
    let browser = Browser::new(&app);
    let page = browser.open(&link).await;
    assert!(!page.actions().contains(&link), "{:?}", page.actions());
    let token = ("token".to_owned(), page.token());
    let mut fields = vec![token];
    fields.extend(
        [
            ("name", "Ann"),
            ("login_name", "ann"),
            ("password", PASSWORD),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned())),
    );
    browser.post(&link, &fields).await.expect(422);
    browser
        .post("/dashboard/sign-in", &fields)
        .await
        .expect(422);
    assert_eq!(browser.cookie("session"), None);
}

#[tokio::test]
async fn without_a_dashboard_there_are_no_pages() {
    let app = TestApp::setup()
        .config(|config| config.dashboard.enabled = false)
        .start()
        .await;
    for path in [
        "/",
        "/dashboard",
        "/dashboard/sign-in",
        "/dashboard/links/x",
    ] {
        app.get(path).send().await.problem("not_found");
    }
}
