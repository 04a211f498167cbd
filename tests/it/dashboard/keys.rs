//! A member's whole way with a key: made, shown once, used, narrowed, rotated, paused, revoked.

use super::{Office, key_id, operator, written};
use crate::support::test_app::{PAYMENT, claims};
use crate::tenancy::scope;

#[tokio::test]
async fn a_key_is_made_shown_once_and_works() {
    let office = Office::new().await;
    let ann = office.member("Ann").await;
    let first = ann.open("/dashboard").await;
    first
        .says("My keys")
        .says("You have none here yet.")
        .never_says("Members");
    let path = first.link("/keys/new");
    let page = ann.open(&path).await;
    page.says("payment.example.com")
        .says("read:payment")
        .says("write:payment")
        .never_says("read:cart");
    let permission = format!("{PAYMENT} write:payment");
    let fields = [("name", "checkout"), ("permission", permission.as_str())];
    let shown = ann.submit(&page, &path, &fields).await;
    shown
        .says("Shown only now.")
        .says("curl")
        .says("KAGIYA_KEY");
    let key = shown.secret().unwrap();
    assert!(
        !shown.html.replacen(&key, "", 1).contains(&key),
        "it is there once"
    );
    let token = office
        .app()
        .trade(&key)
        .await
        .expect(200)
        .text("access_token");
    assert_eq!(claims(&token)["scope"], "write:payment");
    let key_page = ann
        .open(&format!("/dashboard/keys/{}", key_id(&shown)))
        .await;
    key_page
        .says("Active.")
        .says("write:payment")
        .says("Key made")
        .never_says(&key);
    let list = ann.open(&office.path("/keys")).await;
    list.says("checkout").says("1 key").never_says(&key);
    // On record as hers, through the pages.
    let events = office
        .app()
        .get("/v1/audit-events?action=key.created")
        .operator()
        .send()
        .await
        .expect(200);
    assert!(
        events["items"][0]["actor"]
            .as_str()
            .unwrap()
            .starts_with("usr_")
    );
}

#[tokio::test]
async fn a_reload_shows_the_same_key_and_going_on_ends_that() {
    let office = Office::new().await;
    let ann = office.member("Ann").await;
    let path = office.path("/keys/new");
    let page = ann.open(&path).await;
    let permission = format!("{PAYMENT} read:payment");
    let fields = [("name", "checkout"), ("permission", permission.as_str())];
    let one = ann.submit(&page, &path, &fields).await.secret().unwrap();
    let two = ann.submit(&page, &path, &fields).await.secret().unwrap();
    assert_eq!(one, two);
    // The same form with something else in it is another matter.
    let other = [("name", "another"), ("permission", permission.as_str())];
    ann.try_submit(&page, &path, &other)
        .await
        .expect(422)
        .says("sent before");
    ann.open(&office.path("/keys")).await.says("1 key");
    let gone = ann.try_submit(&page, &path, &fields).await.expect(409);
    gone.says("This key was shown already").never_says(&one);
    ann.open(&office.path("/keys")).await.says("1 key");
}

#[tokio::test]
async fn a_key_that_was_used_is_not_shown_again_either() {
    let office = Office::new().await;
    let ann = office.member("Ann").await;
    let path = office.path("/keys/new");
    let page = ann.open(&path).await;
    let permission = format!("{PAYMENT} read:payment");
    let fields = [("name", "checkout"), ("permission", permission.as_str())];
    let key = ann.submit(&page, &path, &fields).await.secret().unwrap();
    office.app().trade(&key).await.expect(200);
    written(office.app(), "key_usage", 1).await;
    ann.try_submit(&page, &path, &fields).await.expect(409);
}

#[tokio::test]
async fn mistakes_stand_beside_their_fields_and_nothing_is_made() {
    let office = Office::new().await;
    let ann = office.member("Ann").await;
    let path = office.path("/keys/new");
    let page = ann.open(&path).await;
    let read = format!("{PAYMENT} read:payment");
    let beyond = "https://cart.example.com/api read:cart".to_owned();
    let key = {
        let other = office.shop.key().await;
        other.key
    };
    let long = "x".repeat(121);
    for (fields, says) in [
        (
            vec![("name", ""), ("permission", read.as_str())],
            "Fill this in",
        ),
        (
            vec![("name", long.as_str()), ("permission", read.as_str())],
            "Too long",
        ),
        (vec![("name", "a")], "Tick at least one"),
        (
            vec![("name", "a"), ("permission", beyond.as_str())],
            "more than you may give",
        ),
        (
            vec![
                ("name", "a"),
                ("permission", read.as_str()),
                ("expires", "yesterday"),
            ],
            "A day such as",
        ),
        (
            vec![
                ("name", "a"),
                ("permission", read.as_str()),
                ("expires", "2020-01-01"),
            ],
            "It must lie ahead",
        ),
        (
            vec![
                ("name", "a"),
                ("permission", read.as_str()),
                ("addresses", "example.com"),
            ],
            "Addresses or networks",
        ),
        (
            vec![("name", "a"), ("permission", read.as_str()), ("rate", "0")],
            "from 1 to 1,000,000",
        ),
        (
            vec![("name", key.as_str()), ("permission", read.as_str())],
            "That looks like a key.",
        ),
    ] {
        let again = ann.try_submit(&page, &path, &fields).await.expect(422);
        assert!(again.title().starts_with("Error: "), "{}", again.title());
        again.says(says);
    }
    ann.open(&office.path("/keys"))
        .await
        .says("You have none here yet.");
}

#[tokio::test]
async fn limits_are_set_seen_and_taken_away() {
    let office = Office::new().await;
    let ann = office.member("Ann").await;
    let path = office.path("/keys/new");
    let page = ann.open(&path).await;
    let read = format!("{PAYMENT} read:payment");
    let fields = [
        ("name", "checkout"),
        ("permission", read.as_str()),
        ("expires", "2027-01-31"),
        ("addresses", "192.0.2.7\n2001:db8::/32"),
        ("rate", "100"),
        ("rate_per", "3600"),
    ];
    let shown = ann.submit(&page, &path, &fields).await;
    let here = format!("/dashboard/keys/{}", key_id(&shown));
    let page = ann.open(&here).await;
    page.says("31 Jan 2027 23:59 UTC")
        .says("192.0.2.7/32")
        .says("2001:db8::/32")
        .says("100 in 1 hour");
    let key = shown.secret().unwrap();
    office
        .app()
        .trade(&key)
        .await
        .problem("address_not_allowed");
    written(office.app(), "key_refusals", 1).await;
    ann.open(&here).await.says("Not from an allowed address");
    let edit = format!("{here}/edit");
    let page = ann.open(&edit).await;
    let form = page.form(&edit);
    assert_eq!(form.value("expires"), Some("2027-01-31"));
    let fields = [
        ("name", "checkout 2"),
        ("expires", ""),
        ("addresses", ""),
        ("rate", ""),
    ];
    let done = ann.submit(&page, &edit, &fields).await;
    done.says("Saved.").says("checkout 2").says("never expires");
    office.app().trade(&key).await.expect(200);
    // What somebody else changed meanwhile is not overwritten.
    let stale = ann.try_submit(&page, &edit, &fields).await.expect(422);
    stale.says("Somebody else changed it meanwhile.");
}

#[tokio::test]
async fn permissions_are_narrowed_after_their_change_was_shown() {
    let office = Office::new().await;
    let ann = office.member("Ann").await;
    let shown = office
        .make_key(&ann, "checkout", &["read:payment", "write:payment"])
        .await;
    let key = shown.secret().unwrap();
    let path = format!("/dashboard/keys/{}/permissions", key_id(&shown));
    let page = ann.open(&path).await;
    let read = format!("{PAYMENT} read:payment");
    let review = ann.submit(&page, &path, &[("permission", &read)]).await;
    review
        .says("Takes away write:payment")
        .says("1 permission stays");
    assert_eq!(
        scope(office.app(), &key).await.unwrap(),
        "read:payment write:payment"
    );
    let done = ann.submit(&review, &path, &[]).await;
    done.says("Permissions changed.")
        .never_says("write:payment");
    assert_eq!(scope(office.app(), &key).await.unwrap(), "read:payment");
    // Wider again, which she may; nothing at all, which is a change as well.
    let page = ann.open(&path).await;
    let write = format!("{PAYMENT} write:payment");
    let review = ann
        .submit(
            &page,
            &path,
            &[("permission", &read), ("permission", &write)],
        )
        .await;
    review.says("Adds write:payment");
    ann.submit(&review, &path, &[]).await;
    assert_eq!(
        scope(office.app(), &key).await.unwrap(),
        "read:payment write:payment"
    );
    // Beyond her own: refused when it is saved, whatever the form said.
    let page = ann.open(&path).await;
    let cart = "https://cart.example.com/api read:cart";
    let review = ann.submit(&page, &path, &[("permission", cart)]).await;
    let refused = ann.try_submit(&review, &path, &[]).await.expect(422);
    refused.says("more than you may give");
    assert_eq!(
        scope(office.app(), &key).await.unwrap(),
        "read:payment write:payment"
    );
}

#[tokio::test]
async fn a_rotation_now_kills_the_old_key_at_once() {
    let office = Office::new().await;
    let ann = office.member("Ann").await;
    let shown = office.make_key(&ann, "checkout", &["read:payment"]).await;
    let (old, id) = (shown.secret().unwrap(), key_id(&shown));
    let path = format!("/dashboard/keys/{id}/rotate");
    let page = ann.open(&path).await;
    page.says("A new key takes the place of the old one.");
    let rotated = ann.submit(&page, &path, &[("grace", "0")]).await;
    rotated.says("The old key stopped working.");
    let new = rotated.secret().unwrap();
    assert_ne!(new, old);
    office.app().trade(&old).await.problem("api_key_rotated");
    office.app().trade(&new).await.expect(200);
    // A reload shows the same one and does not rotate again.
    let again = ann.submit(&page, &path, &[("grace", "0")]).await;
    assert_eq!(again.secret().unwrap(), new);
}

#[tokio::test]
async fn a_rotation_with_a_grace_shows_how_long_the_old_key_works() {
    let office = Office::new().await;
    let ann = office.member("Ann").await;
    let shown = office.make_key(&ann, "checkout", &["read:payment"]).await;
    let (old, id) = (shown.secret().unwrap(), key_id(&shown));
    let path = format!("/dashboard/keys/{id}/rotate");
    let page = ann.open(&path).await;
    let rotated = ann.submit(&page, &path, &[("grace", "86400")]).await;
    rotated.says("The old key works until 23 Nov 2026 12:00 UTC.");
    let new = rotated.secret().unwrap();
    office.app().trade(&old).await.expect(200);
    let here = format!("/dashboard/keys/{id}");
    office.app().pass(3600);
    ann.open(&here).await.says("stops in 23 hours");
    ann.open(&path)
        .await
        .says("An older key is still in its grace period: it ends now.");
    office.app().pass(86_400);
    office.app().trade(&old).await.problem("api_key_rotated");
    office.app().trade(&new).await.expect(200);
}

#[tokio::test]
async fn a_key_is_paused_and_goes_on_and_is_revoked_for_ever() {
    let office = Office::new().await;
    let (app, ann) = (office.app(), office.member("Ann").await);
    let shown = office.make_key(&ann, "checkout", &["read:payment"]).await;
    let (key, id) = (shown.secret().unwrap(), key_id(&shown));
    let here = format!("/dashboard/keys/{id}");
    let act = |name: &str| format!("{here}/{name}");
    let asked = ann.open(&act("disable")).await;
    asked
        .says("It can be enabled again at any time.")
        .says("It was never used.");
    ann.submit(&asked, &act("disable"), &[])
        .await
        .says("Disabled")
        .says("Enable");
    app.trade(&key).await.problem("api_key_disabled");
    written(app, "key_refusals", 1).await;
    ann.open(&here)
        .await
        .says("The key or its organization is disabled");
    let asked = ann.open(&act("enable")).await;
    ann.submit(&asked, &act("enable"), &[])
        .await
        .says("Active.");
    app.trade(&key).await.expect(200);
    let asked = ann.open(&act("revoke")).await;
    asked
        .says("This cannot be undone.")
        .says("Disable it instead");
    let wrong = ann
        .try_submit(&asked, &act("revoke"), &[("name", "other")])
        .await;
    wrong.expect(422).says("Not its name");
    app.trade(&key).await.expect(200);
    let done = ann
        .submit(&asked, &act("revoke"), &[("name", "checkout")])
        .await;
    done.says("Revoked. The key no longer works.");
    app.trade(&key).await.problem("api_key_revoked");
    // Nothing about it changes any more, and the page offers nothing.
    let page = ann.open(&here).await;
    assert!(
        page.links()
            .iter()
            .all(|link| !link.starts_with(&format!("{here}/")))
    );
    for name in [
        "disable",
        "enable",
        "revoke",
        "rotate",
        "edit",
        "permissions",
    ] {
        let answer = ann.get(&act(name)).await;
        assert_eq!(answer.status, 409, "{name}");
    }
}

#[tokio::test]
async fn the_list_is_searched_filtered_sorted_and_paged_by_its_address() {
    let office = Office::new().await;
    let ann = office.member("Ann").await;
    for number in 0..60 {
        let name = format!("key {number:02}");
        office.make_key(&ann, &name, &["read:payment"]).await;
        office.app().pass(1);
    }
    let path = office.path("/keys");
    let first = ann.open(&path).await;
    first.says("60 keys").says("key 59").never_says("key 01");
    // There and back again.
    let second = ann.open(&first.link_with("after=")).await;
    second
        .says("key 34")
        .never_says("key 59")
        .never_says("key 01");
    let third = ann.open(&second.link_with("after=")).await;
    third.says("key 01").never_says("key 34");
    assert!(third.links().iter().all(|link| !link.contains("after=")));
    let back = ann.open(&third.link_with("before=")).await;
    assert_eq!(names(&back.text()), names(&second.text()));
    let back = ann.open(&back.link_with("before=")).await;
    assert_eq!(names(&back.text()), names(&first.text()));
    assert_eq!(names(&first.text()).len(), 25);
    let by_name = ann.open(&format!("{path}?sort=name")).await;
    by_name.says("key 00").never_says("key 59");
    let found = ann.open(&format!("{path}?q=key+07")).await;
    found
        .says("1 key")
        .says("key 07")
        .says("Clear filters")
        .never_says("key 08");
    ann.open(&format!("{path}?status=revoked"))
        .await
        .says("Nothing fits these filters.");
    // Whatever an address says, it is a page.
    for odd in [
        "?after=nonsense",
        "?before=AAAA",
        "?sort=x&status=y&q=%00",
        "?owner=usr_x",
        "?q=%3Cscript%3E",
    ] {
        let page = ann.open(&format!("{path}{odd}")).await;
        assert!(!page.html.contains("<script>"));
    }
}

fn names(text: &str) -> Vec<String> {
    let words: Vec<&str> = text.split(' ').collect();
    let pairs = words
        .windows(2)
        .filter(|pair| pair[0] == "key" && pair[1].len() == 2);
    pairs.map(|pair| pair[1].to_owned()).collect()
}

#[tokio::test]
async fn a_member_sees_his_own_keys_and_an_admin_all() {
    let office = Office::new().await;
    let (ann, bob) = (office.member("Ann").await, office.member("Bob").await);
    let admin = office.admin("Carol").await;
    let olga = operator(office.app(), "Olga").await;
    let shown = office.make_key(&ann, "of ann", &["read:payment"]).await;
    office.make_key(&bob, "of bob", &["read:payment"]).await;
    let list = office.path("/keys");
    ann.open(&list).await.says("of ann").never_says("of bob");
    admin.open(&list).await.says("of ann").says("of bob");
    olga.open("/dashboard/all/keys")
        .await
        .says("of ann")
        .says("of bob");
    let here = format!("/dashboard/keys/{}", key_id(&shown));
    for below in [
        "",
        "/edit",
        "/permissions",
        "/rotate",
        "/disable",
        "/revoke",
        "/owner",
    ] {
        bob.misses(&format!("{here}{below}")).await;
    }
    admin.open(&here).await.says("Ann");
    ann.misses(&format!("{here}/owner")).await;
}

#[tokio::test]
async fn names_that_people_give_are_never_markup() {
    let office = Office::new().await;
    let ann = office.member("Ann").await;
    let evil = "<img src=x onerror=alert(1)>\"'&";
    let shown = office.make_key(&ann, evil, &["read:payment"]).await;
    let here = format!("/dashboard/keys/{}", key_id(&shown));
    for path in [
        office.path("/keys"),
        here.clone(),
        format!("{here}/revoke"),
        format!("{here}/edit"),
    ] {
        let page = ann.open(&path).await;
        assert!(!page.html.contains("<img"), "{path}");
        page.says(evil);
    }
}
