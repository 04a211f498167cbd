//! What was not sent from one of our own pages changes nothing: wrong origin, wrong token, wrong browser.

use serde_json::json;

use super::{Office, PASSWORD, join, link, operator};
use crate::support::browser::Browser;
use crate::support::test_app::{ISSUER, TestApp};

#[tokio::test]
async fn a_form_from_elsewhere_changes_nothing() {
    let office = Office::new().await;
    let ann = office.member("Ann").await;
    let path = office.path("/keys/new");
    let page = ann.open(&path).await;
    let permission = "https://payment.example.com/api read:payment";
    let fields = page
        .form(&path)
        .filled(&[("name", "forged"), ("permission", permission)]);
    let fields: Vec<(&str, &str)> = fields
        .iter()
        .map(|(n, v)| (n.as_str(), v.as_str()))
        .collect();
    let send = async |headers: &[(&str, &str)], fields: &[(&str, &str)]| {
        let mut request = ann.request("POST", &path);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        request.form(fields).send().await
    };
    let evil = "https://evil.example";
    for headers in [
        &[][..],
        &[("Origin", evil)],
        &[("Origin", "null")],
        &[("Origin", evil), ("Sec-Fetch-Site", "same-origin")],
        &[("Origin", ISSUER), ("Sec-Fetch-Site", "cross-site")],
        &[("Origin", ISSUER), ("Sec-Fetch-Site", "same-site")],
        &[("Sec-Fetch-Site", "none")],
        &[("Origin", "http://kagiya.test")],
        &[("Origin", "https://kagiya.test:8443")],
        &[("Origin", ISSUER), ("Origin", evil)],
    ] {
        let answer = send(headers, &fields).await.expect(403);
        let text = String::from_utf8(answer.body).unwrap();
        assert!(text.contains("Not allowed"), "{headers:?}");
    }
    // From the right place, but without the token, with an empty one, and with somebody else's.
    let bob = office.member("Bob").await;
    let of_bob = bob.open(&path).await.token();
    for token in [None, Some(""), Some("AAAA"), Some(of_bob.as_str())] {
        let mut own: Vec<(&str, &str)> = fields
            .iter()
            .filter(|(name, _)| *name != "token")
            .copied()
            .collect();
        own.extend(token.map(|token| ("token", token)));
        send(&[("Origin", ISSUER)], &own).await.expect(403);
    }
    // Another kind of body is none of ours, right place or not.
    for (kind, status) in [
        ("text/plain", 415),
        ("application/json", 415),
        ("multipart/form-data; boundary=x", 415),
    ] {
        let request = ann.request("POST", &path).header("Origin", ISSUER);
        request
            .body(kind, "token=x&name=y")
            .send()
            .await
            .expect(status);
    }
    let keys = office
        .app()
        .get("/v1/keys")
        .operator()
        .send()
        .await
        .expect(200);
    assert_eq!(keys["items"], json!([]));
    // As a browser sends it, it works: with the origin, or without where only the other header tells.
    for headers in [
        &[("Origin", ISSUER)][..],
        &[("Origin", "null"), ("Sec-Fetch-Site", "same-origin")],
    ] {
        let page = ann.open(&path).await;
        let fields = page
            .form(&path)
            .filled(&[("name", "mine"), ("permission", permission)]);
        let fields: Vec<(&str, &str)> = fields
            .iter()
            .map(|(n, v)| (n.as_str(), v.as_str()))
            .collect();
        let answer = send(headers, &fields).await.expect(200);
        let html = String::from_utf8(answer.body).unwrap();
        let key = html
            .split("data-select>")
            .nth(1)
            .unwrap()
            .split('<')
            .next()
            .unwrap();
        office.app().witness().keep_key(key.trim());
    }
}

#[tokio::test]
async fn nobody_is_signed_in_as_the_attacker_by_a_form_of_the_attackers() {
    let app = TestApp::new().await;
    operator(&app, "Mallory").await;
    let attacker = Browser::new(&app);
    let victim = Browser::new(&app);
    let page = attacker.open("/dashboard/sign-in").await;
    victim.open("/dashboard/sign-in").await;
    // The attacker's name, password and token, sent by the victim's browser; even from the right origin.
    let fields = page
        .form("/dashboard/sign-in")
        .filled(&[("login_name", "mallory"), ("password", PASSWORD)]);
    victim.post("/dashboard/sign-in", &fields).await.expect(403);
    assert_eq!(victim.cookie("session"), None);
    // A browser that was never here has no token at all.
    let fresh = Browser::new(&app);
    fresh.post("/dashboard/sign-in", &fields).await.expect(403);
    assert_eq!(fresh.cookie("session"), None);
    // Nor by a link that the attacker made himself.
    let link = link(&app, json!({"purpose": "operator", "loopback": false})).await;
    let page = attacker.open(&link).await;
    let account = [("name", "M"), ("login_name", "m"), ("password", PASSWORD)];
    victim
        .post(&link, &page.form(&link).filled(&account))
        .await
        .expect(403);
    assert_eq!(victim.cookie("session"), None);
}

#[tokio::test]
async fn a_form_from_before_signing_in_is_worth_nothing_afterwards() {
    let app = TestApp::new().await;
    operator(&app, "Olga").await;
    let browser = Browser::new(&app);
    let before = browser.open("/dashboard/sign-in").await;
    let fields = [("login_name", "olga"), ("password", PASSWORD)];
    browser.submit(&before, "/dashboard/sign-in", &fields).await;
    let old = [("token".to_owned(), before.token())];
    browser.post("/dashboard/sign-out", &old).await.expect(403);
    browser.open("/dashboard").await.says("Olga");
}

#[tokio::test]
async fn every_page_that_changes_something_wants_the_token() {
    let office = Office::new().await;
    let app = office.app();
    let olga = operator(app, "Olga").await;
    let missing = [("token".to_owned(), "AAAA".to_owned())];
    let mut seen = 0;
    for page in kagiya::dashboard::pages() {
        if page.method != "POST" {
            continue;
        }
        let path = page
            .path
            .replace("{secret}", &"a".repeat(43))
            .replace("{purpose}", "tag")
            .replace("{id}", "org_aaaaaaaaaaaaaaaaaaaaaaaaaa")
            .replace("{user_id}", "usr_aaaaaaaaaaaaaaaaaaaaaaaaaa")
            .replace("{link_id}", "lnk_aaaaaaaaaaaaaaaaaaaaaaaaaa")
            .replace("{permission_id}", "per_aaaaaaaaaaaaaaaaaaaaaaaaaa")
            .replace("{kid}", "x");
        // Judged before anything else is: what does not exist is 403 as well, or 404 where the path itself cannot be.
        let answer = olga.post(&path, &missing).await;
        assert!(
            matches!(answer.status, 403 | 404),
            "{path}: {}",
            answer.status
        );
        seen += usize::from(answer.status == 403);
        // Nobody who is not signed in comes even so far.
        let answer = Browser::new(app).post(&path, &missing).await;
        assert!(
            matches!(answer.status, 303 | 403 | 404),
            "{path}: {}",
            answer.status
        );
    }
    assert!(seen > 25, "{seen}");
}

#[tokio::test]
async fn links_of_mail_and_chat_use_nothing_up() {
    // Whatever previews links sends GET and HEAD.
    let app = TestApp::new().await;
    let link = link(&app, json!({"purpose": "operator"})).await;
    for method in ["GET", "GET", "HEAD"] {
        let answer = app.request(method, &link).send().await;
        assert!(
            matches!(answer.status, 200 | 405),
            "{method} {}",
            answer.status
        );
    }
    let browser = Browser::new(&app);
    join(&browser, &link, "Olga").await;
}
