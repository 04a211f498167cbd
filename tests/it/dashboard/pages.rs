//! Every page, opened by a visitor, a member, an admin, an operator, and a stranger: it is there for those whom it is for, and not there
//! for anybody else. A page that is not in the list below fails the test.

use std::collections::BTreeSet;

use serde_json::json;

use super::page_list::For::{self, Admins, Members, Operators, People, Visitors};
use super::page_list::PAGES;
use super::{Office, invited, key_id, last, operator};
use crate::applications::make;
use crate::support::browser::Browser;
use crate::support::page::Page;
use crate::support::test_app::{CART, PAYMENT};

fn pages() -> impl Iterator<Item = (&'static str, &'static str, For)> {
    PAGES.into_iter()
}

/// What the paths are filled with: things that are there, and the same made up.
pub(super) struct Names {
    organization: String,
    user: String,
    key: String,
    resource: String,
    permission: String,
    role: String,
    application: String,
    client_secret: String,
    rule: String,
    kid: String,
    link: String,
    invitation: String,
}

impl Names {
    fn made_up() -> Self {
        let id = |prefix: &str| format!("{prefix}_{}", "a".repeat(26));
        Self {
            organization: id("org"),
            user: id("usr"),
            key: id("key"),
            resource: id("res"),
            permission: id("per"),
            role: id("rol"),
            application: id("app"),
            client_secret: id("sec"),
            rule: id("rul"),
            kid: "made-up".to_owned(),
            link: "a".repeat(43),
            invitation: id("lnk"),
        }
    }

    pub(super) fn fill(&self, path: &str) -> String {
        let id = match path.split('/').nth(2) {
            Some("keys") => &self.key,
            Some("people") => &self.user,
            Some("resources") => &self.resource,
            Some("roles") => &self.role,
            Some("applications") => &self.application,
            Some("exchange-rules") => &self.rule,
            _ => &self.organization,
        };
        path.replace("{id}", id)
            .replace("{user_id}", &self.user)
            .replace("{permission_id}", &self.permission)
            .replace("{secret_id}", &self.client_secret)
            .replace("{kid}", &self.kid)
            .replace("{purpose}", "tag")
            .replace("{secret}", &self.link)
            .replace("{link_id}", &self.invitation)
    }
}

/// The office with one of everything, and what it is called.
pub(super) async fn furnished(office: &Office, member: &Browser<'_>) -> Names {
    let app = office.app();
    let organization = office.shop.organization.clone();
    let shown = office
        .make_key(member, "checkout", &["read:payment", "write:payment"])
        .await;
    let users = app
        .get("/v1/users?limit=200")
        .operator()
        .send()
        .await
        .expect(200);
    let users = users["items"].as_array().unwrap();
    let user = users.iter().find(|user| user["name"] == "Bob").unwrap()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let permissions = format!("/v1/resources/{}/permissions", office.shop.payment);
    let permissions = app.get(&permissions).operator().send().await.expect(200);
    let keys = app
        .get("/v1/signing-keys")
        .operator()
        .send()
        .await
        .expect(200);
    let application = make(app, json!({"organization_id": organization})).await;
    let rule = json!({
        "application_id": application.id, "subject_resource": CART, "target_resource": PAYMENT, "scopes": ["read:payment"],
    });
    let rule = app.post("/v1/exchange-rules").operator().json(rule);
    let rule = rule.send().await.expect(201).text("id");
    let invitation = json!({"purpose": "invitation", "organization_id": organization});
    let made = app
        .post("/v1/sign-in-links")
        .operator()
        .json(invitation)
        .send()
        .await
        .expect(201);
    let secret = last(&made.text("url"));
    app.witness().keep(&secret);
    Names {
        key: key_id(&shown),
        user,
        resource: office.shop.payment.clone(),
        permission: permissions["items"][0]["id"].as_str().unwrap().to_owned(),
        role: office.clerk.clone(),
        client_secret: application.object["client_secret_id"]
            .as_str()
            .unwrap()
            .to_owned(),
        application: application.id,
        rule,
        kid: keys["items"][0]["kid"].as_str().unwrap().to_owned(),
        link: secret,
        invitation: made.text("id"),
        organization,
    }
}

#[test]
fn the_pages_are_these() {
    let listed: BTreeSet<(String, String)> = pages()
        .map(|(method, path, _)| (method.to_owned(), path.to_owned()))
        .collect();
    let there: BTreeSet<(String, String)> = kagiya::dashboard::pages()
        .iter()
        .map(|page| (page.method.to_string(), page.path.to_owned()))
        .collect();
    assert_eq!(listed, there);
}

#[tokio::test]
async fn every_page_is_there_for_whom_it_is_for_and_for_nobody_else() {
    let office = Office::new().await;
    let app = office.app();
    let other = app.organization("Other").await;
    let member = office.member("Bob").await;
    let admin = office.admin("Ann").await;
    let olga = operator(app, "Olga").await;
    let stranger = invited(app, &other, "Eve", json!({"role": "admin"})).await;
    let names = furnished(&office, &member).await;
    let visitor = Browser::new(app);
    let who = [
        (&visitor, Visitors),
        (&stranger, People),
        (&member, Members),
        (&admin, Admins),
        (&olga, Operators),
    ];
    for (browser, is) in who {
        for (method, path, wanted) in pages() {
            // What these two answer is another test's matter.
            if path.contains("/sign-in/") || path.contains("/assets/") {
                continue;
            }
            let path = names.fill(path);
            if method == "POST" {
                // Those who may are another test's matter: it would change things.
                if is < wanted {
                    refuses(browser, is, &path).await;
                }
                continue;
            }
            let page = browser.get(&path).await;
            if is >= wanted {
                assert!(
                    matches!(page.status, 200 | 303),
                    "{is:?} {path}: {}",
                    page.status
                );
                if page.status == 303 {
                    let to = page.header("location").unwrap().to_owned();
                    assert!(
                        matches!(path.as_str(), "/" | "/dashboard" | "/dashboard/sign-in"),
                        "{is:?} {path} leads to {to}"
                    );
                } else if !path.contains("/export") {
                    browser.open(&path).await;
                }
            } else if is == Visitors {
                let page = page.expect(303);
                let to = page.header("location").unwrap();
                assert!(to.starts_with("/dashboard/sign-in"), "{path} leads to {to}");
            } else {
                browser.misses(&path).await;
            }
        }
    }
    // The key is as it was, and so is everything else.
    olga.open(&names.fill("/dashboard/keys/{id}"))
        .await
        .says("Active.")
        .says("write:payment");
}

/// Whoever may not send a form meets what he meets where there is nothing.
async fn refuses(browser: &Browser<'_>, is: For, path: &str) {
    let mut fields = Vec::new();
    if is > Visitors {
        let token = browser.open("/dashboard/account").await.token();
        fields.push(("token".to_owned(), token));
    }
    for (name, value) in [
        ("name", "checkout"),
        ("confirmed", "yes"),
        ("version", "1"),
        ("role", "admin"),
        ("operator", "yes"),
        ("disabled", "yes"),
        ("owner", ""),
        ("organization", "org_aaaaaaaaaaaaaaaaaaaaaaaaaa"),
        ("ceiling", "all"),
    ] {
        fields.push((name.to_owned(), value.to_owned()));
    }
    let answer = browser.post(path, &fields).await;
    if is == Visitors {
        let answer = answer.expect(303);
        assert_eq!(
            answer.header("location"),
            Some("/dashboard/sign-in"),
            "{path}"
        );
    } else {
        // An admin sees what his organization may use, and only reads it.
        let reads =
            is == Admins && path.contains("/organizations/") && path.ends_with("/permissions");
        assert_eq!(
            answer.status,
            if reads { 403 } else { 404 },
            "{is:?} POST {path}"
        );
    }
}

#[tokio::test]
async fn what_is_anothers_looks_like_what_is_not_there() {
    let office = Office::new().await;
    let app = office.app();
    let other = app.organization("Other").await;
    let member = office.member("Bob").await;
    let stranger = invited(app, &other, "Eve", json!({"role": "admin"})).await;
    let own = invited(app, &other, "Mia", json!({})).await;
    let (theirs, nobodys) = (furnished(&office, &member).await, Names::made_up());
    for (method, path, wanted) in pages() {
        if wanted < Members || !path.contains('{') {
            continue;
        }
        for browser in [&stranger, &own] {
            let mut seen = Vec::new();
            for names in [&theirs, &nobodys] {
                let path = names.fill(path);
                let answer = if method == "GET" {
                    browser.get(&path).await
                } else {
                    let token = browser.open("/dashboard/account").await.token();
                    browser.post(&path, &[("token".to_owned(), token)]).await
                };
                seen.push(answer.expect(404).without_request_id());
            }
            assert_eq!(seen[0], seen[1], "{method} {path}");
        }
    }
}

#[tokio::test]
async fn every_page_speaks_every_language() {
    let office = Office::new().await;
    let app = office.app();
    let member = office.member("Bob").await;
    let names = furnished(&office, &member).await;
    let olga = operator(app, "Olga").await;
    let kana = |letter: char| ('\u{3040}'..='\u{30ff}').contains(&letter);
    let hangul = |letter: char| ('\u{ac00}'..='\u{d7af}').contains(&letter);
    for (method, path, _) in pages() {
        let skipped = ["/sign-in/", "/assets/", "/export"];
        if method == "POST" || skipped.iter().any(|part| path.contains(part)) {
            continue;
        }
        let path = names.fill(path);
        let read = async |language: &'static str| -> Page {
            let browser = olga.twin().language(language);
            let page = browser.open(&path).await;
            assert!(
                page.html.contains(&format!("<html lang=\"{language}\"")),
                "{path}"
            );
            page
        };
        let (english, japanese, korean) = (read("en").await, read("ja").await, read("ko").await);
        assert!(
            japanese.title() != english.title() && korean.title() != english.title(),
            "{path}: {}",
            english.title()
        );
        assert!(
            japanese.text().contains(kana) && korean.text().contains(hangul),
            "{path}"
        );
        assert!(
            !english.text().contains(kana) || english.text().contains("日本語"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn language_and_looks_are_chosen_and_kept() {
    let office = Office::new().await;
    let ann = office.member("Ann").await;
    let page = ann.open("/dashboard/account").await;
    let path = "/dashboard/preferences";
    let page = ann.submit(&page, path, &[("language", "ko")]).await;
    assert_eq!(page.path, "/dashboard/account");
    assert!(
        page.html
            .contains("<html lang=\"ko\" data-theme=\"system\"")
    );
    let page = ann.submit(&page, path, &[("theme", "dark")]).await;
    assert!(page.html.contains("<html lang=\"ko\" data-theme=\"dark\""));
    // Nonsense changes nothing, and leads nowhere else.
    let page = ann
        .submit(
            &page,
            path,
            &[("language", "xx"), ("return_to", "https://evil.example")],
        )
        .await;
    assert!(page.html.contains("<html lang=\"ko\" data-theme=\"dark\""));
}

#[tokio::test]
async fn what_is_wrong_is_told_by_a_page_where_a_person_asked() {
    let office = Office::new().await;
    let app = office.app();
    let ann = office.member("Ann").await;
    ann.misses("/dashboard/nowhere")
        .await
        .says("There is no such page, or it is not yours to see.");
    for path in [
        "/dashboard/keys/nonsense",
        "/dashboard/keys/key_%00",
        "/dashboard/organizations/x/keys",
    ] {
        ann.misses(path).await;
    }
    let japanese = Browser::new(app).language("ja");
    japanese
        .misses("/dashboard/nowhere")
        .await
        .says("見つかりません");
    let answer = ann.send(ann.request("DELETE", "/dashboard/account")).await;
    assert_eq!(answer.status, 405);
    // Programs get what they always got.
    app.get("/v1/nowhere").send().await.problem("not_found");
}

#[tokio::test]
async fn what_pages_load_is_kept_for_good_and_is_nothing_else() {
    let office = Office::new().await;
    let ann = office.member("Ann").await;
    let page = ann.open("/dashboard/account").await;
    let loaded: Vec<String> = page
        .html
        .split(['"', '\''])
        .filter(|text| text.starts_with("/dashboard/assets/"))
        .map(str::to_owned)
        .collect();
    assert_eq!(loaded.len(), 4, "{loaded:?}");
    for path in loaded {
        // Without a cookie, as a cache between would.
        let answer = office.app().get(&path).send().await.expect(200);
        assert_eq!(
            answer.header("cache-control"),
            Some("public, max-age=31536000, immutable")
        );
        assert!(answer.header("set-cookie").is_none());
        let changed = path.replace("/assets/", "/assets/0");
        ann.misses(&changed).await;
    }
    for path in [
        "/dashboard/assets/x/style.css",
        "/dashboard/assets/x/..%2fCargo.toml",
    ] {
        ann.misses(path).await;
    }
}
