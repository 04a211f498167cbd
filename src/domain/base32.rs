//! Lower-case base32 (RFC 4648 §6, without padding): the alphabet of user names, ids and tags.
//!
//! Identity providers fold case in user names, so these names know one case only.

/// `a`–`z` and `2`–`7`.
pub const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// Writes the first `5 × out.len()` bits of `bytes` as base32 letters; bits beyond the end of `bytes` are zero.
pub fn encode(bytes: &[u8], out: &mut [u8]) {
    let mut bits = 0u32;
    let mut held = 0u32;
    let mut input = bytes.iter();
    for letter in out {
        if held < 5 {
            bits = bits << 8 | u32::from(input.next().copied().unwrap_or(0));
            held += 8;
        }
        held -= 5;
        *letter = ALPHABET[(bits >> held & 31) as usize];
    }
}

/// The value of a letter; of a byte that is not in the alphabet, that of the first letter.
const fn value(letter: u8) -> u8 {
    match letter {
        b'a'..=b'z' => letter - b'a',
        b'2'..=b'7' => letter - b'2' + 26,
        _ => 0,
    }
}

/// The bits of `text`, five a letter, from the first bit of `out` on. What is not in the alphabet counts as its first letter.
pub fn pack(text: &[u8], out: &mut [u8]) {
    for (letters, bytes) in text.chunks(8).zip(out.chunks_mut(5)) {
        let mut bits = 0u64;
        for place in 0..8 {
            let letter = letters.get(place).copied().unwrap_or(b'a');
            bits = bits << 5 | u64::from(value(letter));
        }
        bytes.copy_from_slice(&bits.to_be_bytes()[3..3 + bytes.len()]);
    }
}

/// Whether all of `text` is in the alphabet, decided without a branch or a table look-up on a byte of it.
pub fn is_text(text: &[u8]) -> bool {
    text.iter().fold(true, |valid, byte| {
        valid & (byte.wrapping_sub(b'a') < 26) | (byte.wrapping_sub(b'2') < 6) & valid
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_rfc_4648_come_out_in_lower_case() {
        for (bytes, text) in [
            ("f", "my"),
            ("fo", "mzxq"),
            ("foo", "mzxw6"),
            ("foob", "mzxw6yq"),
            ("foobar", "mzxw6ytboi"),
        ] {
            let mut out = vec![0; text.len()];
            encode(bytes.as_bytes(), &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), text);
        }
    }

    #[test]
    fn what_is_packed_comes_out_again() {
        for text in [
            "my",
            "mzxw6yq",
            "mzxw6ytboi",
            "abcdefghijklmnopqrstuvwxyz",
            "77777777777777777777777772",
        ] {
            let mut packed = vec![0; (text.len() * 5).div_ceil(8)];
            pack(text.as_bytes(), &mut packed);
            let mut out = vec![0; text.len()];
            encode(&packed, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), text);
        }
    }

    #[test]
    fn only_the_alphabet_is_text() {
        for byte in 0..=255u8 {
            assert_eq!(is_text(&[b'a', byte]), ALPHABET.contains(&byte), "{byte}");
        }
    }
}
