//! URLs of databases, right and wrong.

use super::*;

#[test]
fn the_scheme_chooses_the_database() {
    let shown = |text: &str| text.parse::<DatabaseUrl>().map(|url| format!("{url:?}"));
    assert_eq!(
        shown("sqlite:/var/lib/k.db").as_deref(),
        Ok("sqlite:/var/lib/k.db")
    );
    assert_eq!(
        shown("sqlite:///var/lib/k.db").as_deref(),
        Ok("sqlite:/var/lib/k.db")
    );
    assert_eq!(shown("sqlite:k.db").as_deref(), Ok("sqlite:k.db"));
    assert_eq!(
        shown("postgres://me:hunter2@db/k").as_deref(),
        Ok("postgres://…")
    );
    assert_eq!(shown("postgresql://db/k").as_deref(), Ok("postgres://…"));
    assert_eq!(shown("mysql://db/k"), Err(ParseDatabaseUrlError::Scheme));
    assert_eq!(shown("k.db"), Err(ParseDatabaseUrlError::Scheme));
    assert_eq!(
        shown("sqlite::memory:"),
        Err(ParseDatabaseUrlError::NotAFile)
    );
    assert_eq!(shown("sqlite:"), Err(ParseDatabaseUrlError::NotAFile));
    assert_eq!(
        shown("sqlite:k.db?mode=ro"),
        Err(ParseDatabaseUrlError::NotAFile)
    );
}
