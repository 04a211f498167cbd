//! The table against its document.

use super::Code;

#[test]
fn the_document_has_one_row_for_each_code_in_the_order_of_the_table() {
    let document = include_str!("../../../docs/errors.md");
    let rows: Vec<String> = document
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| {
            line.splitn(5, '|')
                .take(4)
                .map(str::trim)
                .collect::<Vec<_>>()
                .join("|")
        })
        .collect();
    let table: Vec<String> = Code::ALL
        .iter()
        .map(|code| {
            format!(
                "|`{}`|{}|{}",
                code.as_str(),
                code.status().as_u16(),
                code.title()
            )
        })
        .collect();
    assert_eq!(rows, table);
}

#[test]
fn codes_are_snake_case_and_unique() {
    for (index, code) in Code::ALL.iter().enumerate() {
        assert!(
            code.as_str()
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte == b'_'),
            "{code:?}"
        );
        assert!(
            Code::ALL[..index]
                .iter()
                .all(|other| other.as_str() != code.as_str()),
            "{code:?}"
        );
    }
}
