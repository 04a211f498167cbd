//! Randomness, passed in: [`Random`] is the only way that kagiya draws a credential, an id or a nonce.
//!
//! A lint forbids every other source. [`SystemRandom`] is ChaCha12, seeded by the operating system for each thread and
//! re-seeded as it runs (`rand::rng`): cryptographically strong, and some 30 times cheaper than a system call.

use rand::Rng;

/// A source of uniform random bytes, fit for secrets.
pub trait Random: Send + Sync + 'static {
    /// Fills `bytes` with random bytes.
    fn fill(&self, bytes: &mut [u8]);

    /// Fills `out` with letters drawn uniformly and independently from `alphabet` (2 to 256 different bytes).
    ///
    /// Bytes that would favour the first letters are thrown away and drawn again, so each letter is equally likely.
    fn text(&self, alphabet: &[u8], out: &mut [u8]) {
        let usable = 256 - 256 % alphabet.len();
        let mut pool = [0u8; 64];
        let mut filled = 0;
        while filled < out.len() {
            self.fill(&mut pool);
            for byte in pool
                .iter()
                .copied()
                .filter(|byte| usize::from(*byte) < usable)
            {
                if filled == out.len() {
                    break;
                }
                out[filled] = alphabet[usize::from(byte) % alphabet.len()];
                filled += 1;
            }
        }
        zeroize::Zeroize::zeroize(&mut pool);
    }
}

/// The thread's own generator, seeded by the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that draws random numbers"
    )]
    fn fill(&self, bytes: &mut [u8]) {
        rand::rng().fill_bytes(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::base62;

    #[test]
    fn letters_are_drawn_evenly_from_the_whole_alphabet() {
        let mut letters = vec![0u8; 62 * 2000];
        SystemRandom.text(base62::ALPHABET, &mut letters);
        for letter in base62::ALPHABET {
            let count = letters.iter().filter(|drawn| *drawn == letter).count();
            // 2000 expected, standard deviation 44: a bias of the modulo kind (4 of 62 letters 25 % more often) is far outside.
            assert!(
                (1700..2300).contains(&count),
                "{} was drawn {count} times",
                char::from(*letter)
            );
        }
    }
}
