//! Text from outside, made harmless for a log: it can neither end a line or a JSON string nor move a terminal's cursor.

use std::io::Write;

/// Appends `text` as the inside of a JSON string (RFC 8259 §7).
///
/// Beyond what JSON asks for it escapes DEL, the C1 controls and the characters that end lines or turn the direction of
/// writing, because people read logs in terminals.
pub(super) fn push_escaped(line: &mut Vec<u8>, text: &str) {
    if text.bytes().all(|byte| IS_PLAIN[usize::from(byte)]) {
        line.extend_from_slice(text.as_bytes());
    } else {
        push_escaped_slowly(line, text);
    }
}

/// ASCII that stands for itself.
static IS_PLAIN: [bool; 256] = {
    let mut plain = [false; 256];
    let mut byte = 0x20;
    while byte < 0x7f {
        plain[byte] = byte != b'"' as usize && byte != b'\\' as usize;
        byte += 1;
    }
    plain
};

#[cold]
fn push_escaped_slowly(line: &mut Vec<u8>, text: &str) {
    for character in text.chars() {
        match character {
            '"' => line.extend_from_slice(b"\\\""),
            '\\' => line.extend_from_slice(b"\\\\"),
            // Writing to a Vec cannot fail.
            _ if is_harmful(character) => drop(write!(line, "\\u{:04x}", u32::from(character))),
            _ => line.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
}

/// Controls, line ends, and marks of writing direction; all of them in the Basic Multilingual Plane, so four digits do.
fn is_harmful(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        || character == '\u{feff}'
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn escaped(text: &str) -> String {
        let mut line = Vec::new();
        push_escaped(&mut line, text);
        String::from_utf8(line).unwrap()
    }

    #[test]
    fn hostile_text_stays_inside_its_string() {
        assert_eq!(escaped("/v1/keys"), "/v1/keys");
        assert_eq!(escaped("a\"b\\c\r\n"), "a\\\"b\\\\c\\u000d\\u000a");
        assert_eq!(escaped("\u{1b}[2J\u{9b}\u{7f}"), "\\u001b[2J\\u009b\\u007f");
        assert_eq!(escaped("\u{2028}\u{202e}"), "\\u2028\\u202e");
        assert_eq!(escaped("鍵屋 🔑"), "鍵屋 🔑");
    }

    proptest! {
        #[test]
        fn any_text_comes_back_from_json(text in ".*") {
            let back: String = serde_json::from_str(&format!("\"{}\"", escaped(&text))).unwrap();
            prop_assert_eq!(back, text);
        }
    }
}
