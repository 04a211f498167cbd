//! The pages for people, used as a browser uses them: signing in, a member's way with his keys, what admins and operators do.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails here")]

mod account;
mod admins;
mod applications;
mod exchange_rules;
mod forgery;
mod found;
mod invitations;
mod keys;
mod lists;
mod memberships;
mod operators;
mod page_list;
mod pages;
mod provider;
mod real_browser;
mod sessions;
mod sign_in;
mod weight;

use serde_json::{Value, json};

use crate::support::browser::Browser;
use crate::support::page::Page;
use crate::support::test_app::{ISSUER, PAYMENT, Shop, TestApp, merged};
use crate::tenancy::role;

/// The password of everybody.
pub(crate) const PASSWORD: &str = "correct horse battery staple";

/// Makes a link that lets somebody in; its path.
pub(crate) async fn link(app: &TestApp, body: Value) -> String {
    let answer = app.post("/v1/sign-in-links").operator().json(body);
    let url = answer.send().await.expect(201).text("url");
    let path = url.strip_prefix(ISSUER).unwrap().to_owned();
    app.witness().keep(path.rsplit('/').next().unwrap());
    path
}

/// Uses a link to make an account; the page where that leads.
pub(crate) async fn join(browser: &Browser<'_>, link: &str, name: &str) -> Page {
    let page = browser.open(link).await;
    let login = name.to_lowercase();
    let fields = [
        ("name", name),
        ("login_name", &login),
        ("password", PASSWORD),
    ];
    browser.submit(&page, link, &fields).await
}

/// An operator who has just come in by a link.
pub(crate) async fn operator<'a>(app: &'a TestApp, name: &str) -> Browser<'a> {
    let browser = Browser::new(app);
    let link = link(app, json!({"purpose": "operator"})).await;
    join(&browser, &link, name).await;
    browser
}

/// Somebody who has just accepted an invitation: `as_what` has the role and the user roles.
pub(crate) async fn invited<'a>(
    app: &'a TestApp,
    organization: &str,
    name: &str,
    as_what: Value,
) -> Browser<'a> {
    let browser = Browser::new(app);
    let body = json!({"purpose": "invitation", "organization_id": organization});
    let link = link(app, merged(body, as_what)).await;
    join(&browser, &link, name).await;
    browser
}

/// The shop with a role for its people.
pub(crate) struct Office {
    pub(crate) shop: Shop,
    pub(crate) clerk: String,
}

impl Office {
    /// On an empty database.
    pub(crate) async fn new() -> Self {
        Self::on(TestApp::new().await).await
    }

    /// In this application.
    pub(crate) async fn on(app: TestApp) -> Self {
        let shop = Shop::on(app).await;
        let clerk = role(&shop.app, "clerk", &["read:payment", "write:payment"]).await;
        Self { shop, clerk }
    }

    pub(crate) fn app(&self) -> &TestApp {
        &self.shop.app
    }

    /// A member who may give both permissions of the payment service.
    pub(crate) async fn member(&self, name: &str) -> Browser<'_> {
        let as_what = json!({"roles": [self.clerk]});
        invited(self.app(), &self.shop.organization, name, as_what).await
    }

    /// An admin.
    pub(crate) async fn admin(&self, name: &str) -> Browser<'_> {
        let as_what = json!({"role": "admin"});
        invited(self.app(), &self.shop.organization, name, as_what).await
    }

    /// The path of the organization's pages.
    pub(crate) fn path(&self, below: &str) -> String {
        format!("/dashboard/organizations/{}{below}", self.shop.organization)
    }

    /// Makes a key with these permissions of the payment service; the page that shows it.
    pub(crate) async fn make_key(
        &self,
        browser: &Browser<'_>,
        name: &str,
        scopes: &[&str],
    ) -> Page {
        let path = self.path("/keys/new");
        let page = browser.open(&path).await;
        let permissions: Vec<String> = scopes
            .iter()
            .map(|scope| format!("{PAYMENT} {scope}"))
            .collect();
        let mut fields = vec![("name", name)];
        fields.extend(permissions.iter().map(|one| ("permission", one.as_str())));
        browser.submit(&page, &path, &fields).await
    }
}

/// Waits until this many rows are there: uses and refusals are written in batches.
pub(crate) async fn written(app: &TestApp, table: &str, rows: i64) {
    let query = format!("SELECT count(*) AS number FROM {table}");
    while app.count(&query).await < rows {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

/// Signs somebody in with his password, once more.
pub(crate) async fn sign_in(browser: &Browser<'_>, name: &str) {
    let page = browser.open("/dashboard/sign-in").await;
    let fields = [("login_name", name), ("password", PASSWORD)];
    browser.submit(&page, "/dashboard/sign-in", &fields).await;
}

/// The id of the key that a page has just shown.
pub(crate) fn key_id(shown: &Page) -> String {
    let found = shown.links().into_iter().find_map(|link| {
        let id = link.strip_prefix("/dashboard/keys/")?;
        (!id.contains('/')).then(|| id.to_owned())
    });
    found.unwrap()
}

/// The id in the last part of a path.
pub(crate) fn last(path: &str) -> String {
    path.rsplit('/').next().unwrap().to_owned()
}
