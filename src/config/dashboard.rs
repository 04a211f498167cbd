//! `[dashboard]`: the pages for people, and how they look.

use std::path::PathBuf;

use serde::Deserialize;

use super::layers::{Fault, Section};

/// The settings of the dashboard.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub struct Dashboard {
    /// `enabled`, `KAGIYA_DASHBOARD_ENABLED`: whether there are pages at `/dashboard`. Default `true`.
    pub enabled: bool,
    /// `name`, `KAGIYA_DASHBOARD_NAME`: what the pages call themselves. Default `kagiya`.
    pub name: String,
    /// `logo`, `KAGIYA_DASHBOARD_LOGO`: an SVG, PNG or WebP file of at most 64 KiB that stands before the name. Default none.
    pub logo: Option<PathBuf>,
    /// `accent`, `KAGIYA_DASHBOARD_ACCENT`: the colour of links and of the one main action of a page, as `#0a6b5c`; it must be dark
    /// enough to be read on white. Default `#0a6b5c`.
    pub accent: Option<Colour>,
    /// `accent_dark`, `KAGIYA_DASHBOARD_ACCENT_DARK`: the same where pages are dark; it must be light enough. Default `#62cdb9`, or
    /// `accent` made lighter, if that is given.
    pub accent_dark: Option<Colour>,
    /// `support`, `KAGIYA_DASHBOARD_SUPPORT`: whom people are told to ask, as text, an e-mail address or a URL. Default none.
    pub support: Option<String>,
    /// `language`, `KAGIYA_DASHBOARD_LANGUAGE`: `en`, `ja` or `ko` for browsers that want none of them. Default `en`.
    pub language: String,
    /// `local_accounts`, `KAGIYA_DASHBOARD_LOCAL_ACCOUNTS`: whether people may have a password or passkey here. Default `true`.
    pub local_accounts: bool,
    /// `session_idle_minutes`, `KAGIYA_DASHBOARD_SESSION_IDLE_MINUTES`: after how long without a click somebody is signed out: 5 to
    /// 43,200. Default 720.
    pub session_idle_minutes: u32,
    /// `session_hours`, `KAGIYA_DASHBOARD_SESSION_HOURS`: after how long he is signed out whatever he does: 1 to 2,160. Default 168.
    pub session_hours: u32,
}

impl Default for Dashboard {
    fn default() -> Self {
        Self {
            enabled: true,
            name: "kagiya".to_owned(),
            logo: None,
            accent: None,
            accent_dark: None,
            support: None,
            language: "en".to_owned(),
            local_accounts: true,
            session_idle_minutes: 720,
            session_hours: 168,
        }
    }
}

/// A colour: `#` and six hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Colour([u8; 3]);

impl TryFrom<String> for Colour {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        const WRONG: &str = "must be a colour such as #0a6b5c";
        let digits = text.strip_prefix('#').ok_or(WRONG)?;
        let plain = digits.len() == 6 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !plain {
            return Err(WRONG);
        }
        let number = u32::from_str_radix(digits, 16).map_err(|_| WRONG)?;
        let [_, red, green, blue] = number.to_be_bytes();
        Ok(Self([red, green, blue]))
    }
}

impl std::fmt::Display for Colour {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [red, green, blue] = self.0;
        write!(f, "#{red:02x}{green:02x}{blue:02x}")
    }
}

impl Colour {
    /// Of these parts.
    pub const fn new(red: u8, green: u8, blue: u8) -> Self {
        Self([red, green, blue])
    }

    /// The contrast to another one, 1 to 21 (WCAG 2.2, "contrast ratio").
    pub fn contrast(self, other: Self) -> f64 {
        let (one, two) = (self.luminance(), other.luminance());
        (one.max(two) + 0.05) / (one.min(two) + 0.05)
    }

    /// The same colour, so much nearer to white: 0 to 1.
    pub fn lighter(self, by: f64) -> Self {
        // Between 0 and 255 for every part between 0 and 1.
        let part = |part: u8| (f64::from(part) + (255.0 - f64::from(part)) * by).round() as u8;
        Self(self.0.map(part))
    }

    fn luminance(self) -> f64 {
        let part = |part: u8| {
            let part = f64::from(part) / 255.0;
            if part <= 0.04045 {
                part / 12.92
            } else {
                ((part + 0.055) / 1.055).powf(2.4)
            }
        };
        let [red, green, blue] = self.0.map(part);
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }
}

/// What pages lie on, light and dark.
const LIGHT: Colour = Colour::new(0xfb, 0xfb, 0xf9);
const DARK: Colour = Colour::new(0x14, 0x17, 0x1a);
/// Surfaces in the dark are a little lighter than the page.
const DARK_SURFACE: Colour = Colour::new(0x1c, 0x20, 0x24);
/// What text needs (WCAG 2.2, 1.4.3).
const READABLE: f64 = 4.5;

impl Dashboard {
    /// The accent colour on light pages.
    pub fn accent(&self) -> Colour {
        self.accent.unwrap_or(Colour::new(0x0a, 0x6b, 0x5c))
    }

    /// The accent colour on dark pages.
    pub fn accent_dark(&self) -> Colour {
        match (self.accent_dark, self.accent) {
            (Some(dark), _) => dark,
            (None, None) => Colour::new(0x62, 0xcd, 0xb9),
            (None, Some(light)) => (0..=20)
                .map(|step| light.lighter(f64::from(step) / 20.0))
                .find(|colour| colour.contrast(DARK_SURFACE) >= READABLE + 1.0)
                .unwrap_or(Colour::new(0xff, 0xff, 0xff)),
        }
    }
}

impl Section for Dashboard {
    const TABLE: Option<&'static str> = Some("dashboard");

    fn settle(self) -> Result<Self, Fault> {
        let name = self.name.trim();
        if name.is_empty() || name.chars().count() > 40 || name.chars().any(char::is_control) {
            return Err(Fault::new("name", "must be 1 to 40 characters on one line"));
        }
        if !["en", "ja", "ko"].contains(&self.language.as_str()) {
            return Err(Fault::new("language", "must be en, ja or ko"));
        }
        if self
            .accent
            .is_some_and(|accent| accent.contrast(LIGHT) < READABLE)
        {
            return Err(Fault::new(
                "accent",
                "is too light to be read on a light page: its contrast must be 4.5 at least",
            ));
        }
        if self.accent_dark.is_some_and(|accent| {
            accent.contrast(DARK_SURFACE).min(accent.contrast(DARK)) < READABLE
        }) {
            return Err(Fault::new(
                "accent_dark",
                "is too dark to be read on a dark page: its contrast must be 4.5 at least",
            ));
        }
        Fault::unless_within(
            "session_idle_minutes",
            self.session_idle_minutes,
            5..=43_200,
        )?;
        Fault::unless_within("session_hours", self.session_hours, 1..=2_160)?;
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn colour(text: &str) -> Colour {
        Colour::try_from(text.to_owned()).unwrap()
    }

    #[test]
    fn contrast_is_that_of_wcag() {
        let white = colour("#ffffff");
        assert!((colour("#000000").contrast(white) - 21.0).abs() < 0.01);
        assert!((colour("#767676").contrast(white) - 4.54).abs() < 0.01);
        assert!((white.contrast(white) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn an_accent_that_cannot_be_read_is_refused() {
        let with = |accent: &str| Dashboard {
            accent: Some(colour(accent)),
            ..Dashboard::default()
        };
        assert!(with("#1a4fd6").settle().is_ok());
        assert!(with("#9ad4ff").settle().is_err());
        let dark = with("#1a4fd6").accent_dark();
        assert!(dark.contrast(DARK_SURFACE) >= READABLE, "{dark}");
    }

    #[test]
    fn a_colour_has_one_spelling() {
        for bad in ["", "#fff", "0a6b5c", "#0a6b5g", "#0a6b5c0", "teal"] {
            assert!(Colour::try_from(bad.to_owned()).is_err(), "{bad}");
        }
        assert_eq!(colour("#0A6b5C").to_string(), "#0a6b5c");
    }
}
