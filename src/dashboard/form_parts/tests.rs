//! What people write into forms, right and wrong.

use super::*;
use crate::dashboard::language::Language;

fn read(text: &str) -> (Limits, Wrong) {
    let fields = Fields::read(text.as_bytes()).unwrap();
    let mut wrong = Wrong::new();
    let limits = LimitTexts::sent(&fields).read(Words::new(Language::English), None, &mut wrong);
    (limits, wrong)
}

#[test]
fn limits_are_read_as_people_write_them() {
    let (limits, wrong) = read(
        "expires=2027-01-31&addresses=192.0.2.7,+2001:db8::/32%0D%0A10.0.0.0/8&rate=100&rate_per=60",
    );
    assert!(wrong.is_empty());
    assert_eq!(
        limits.expires_at.unwrap().to_string(),
        "2027-01-31T23:59:59Z"
    );
    let networks: Vec<String> = limits
        .allowed_cidrs
        .unwrap()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(networks, ["192.0.2.7/32", "2001:db8::/32", "10.0.0.0/8"]);
    assert_eq!(limits.rate_limit, RateLimit::new(100, 60).ok());
    let (none, wrong) = read("expires=&addresses=+&rate=&rate_per=60");
    assert!(wrong.is_empty());
    assert!(none.expires_at.is_none() && none.allowed_cidrs.is_none() && none.rate_limit.is_none());
}

#[test]
fn each_mistake_stands_beside_its_field() {
    for (text, field) in [
        ("expires=tomorrow", "expires"),
        ("addresses=example.com", "addresses"),
        ("addresses=192.0.2.7/24", "addresses"),
        ("rate=0&rate_per=60", "rate"),
        ("rate=many&rate_per=60", "rate"),
    ] {
        let (_, wrong) = read(text);
        assert!(wrong.of(field).is_some(), "{text}");
    }
}

#[test]
fn what_is_ticked_is_read_back() {
    let fields = Fields::read(b"permission=https://a.example+read:x&permission=https://a.example+write:x&permission=nonsense").unwrap();
    let ticked = ticked(&fields);
    assert_eq!(ticked.len(), 2);
    assert_eq!(ticked_of(&permissions(&ticked)), ticked);
}
