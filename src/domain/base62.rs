//! Base62: the alphabet of passwords, checksums and generation numbers in a key.

/// Digits, then upper case, then lower case: the order of ASCII, so that sorted text is sorted numbers.
pub const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Writes `number` with leading zeroes, the last six digits of it (a 32-bit number always fits).
pub fn encode_u32(number: u32) -> [u8; 6] {
    let mut out = [b'0'; 6];
    let mut rest = number;
    for digit in out.iter_mut().rev() {
        *digit = ALPHABET[(rest % 62) as usize];
        rest /= 62;
    }
    out
}

/// The value of one digit, 0 to 61.
pub fn digit(letter: u8) -> Option<u8> {
    match letter {
        b'0'..=b'9' => Some(letter - b'0'),
        b'A'..=b'Z' => Some(letter - b'A' + 10),
        b'a'..=b'z' => Some(letter - b'a' + 36),
        _ => None,
    }
}

/// Whether all of `text` is in the alphabet, decided without a branch or a table look-up on a byte of it.
pub fn is_text(text: &[u8]) -> bool {
    text.iter().fold(true, |valid, byte| {
        // Setting bit 5 folds the two cases of a letter into one.
        let letter = (byte | 0x20).wrapping_sub(b'a') < 26;
        let number = byte.wrapping_sub(b'0') < 10;
        valid & (letter | number)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_with_six_digits() {
        assert_eq!(&encode_u32(0), b"000000");
        assert_eq!(&encode_u32(61), b"00000z");
        assert_eq!(&encode_u32(62), b"000010");
        assert_eq!(&encode_u32(u32::MAX), b"4gfFC3");
    }

    #[test]
    fn digits_and_alphabet_agree() {
        for byte in 0..=255u8 {
            let place = ALPHABET.iter().position(|letter| *letter == byte);
            assert_eq!(digit(byte).map(usize::from), place);
            assert_eq!(is_text(&[b'0', byte]), place.is_some(), "{byte}");
        }
    }
}
