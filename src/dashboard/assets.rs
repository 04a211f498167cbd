//! Style sheet, script, icon, logo: part of the program, with a digest of their content in their address, so that browsers keep them
//! for good.

use actix_web::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse, web};
use rust_embed::RustEmbed;

use super::Dashboard;
use crate::http::problem::Problem;

#[derive(RustEmbed)]
#[folder = "assets"]
struct Embedded;

/// The largest logo.
const LARGEST_LOGO: u64 = 64 * 1024;

/// A file that pages load.
#[derive(Clone)]
pub struct Asset {
    /// Its address.
    pub href: String,
    content_type: &'static str,
    body: Bytes,
}

/// All of them.
#[derive(Clone)]
pub struct Assets {
    /// The style sheet.
    pub style: Asset,
    /// The colours of the configuration.
    pub brand: Asset,
    /// The script.
    pub script: Asset,
    /// The icon in the browser's tab.
    pub icon: Asset,
    /// The logo, if there is one.
    pub logo: Option<Asset>,
}

impl Asset {
    fn new(name: &str, content_type: &'static str, body: Vec<u8>) -> Self {
        let digest = blake3::hash(&body).to_hex();
        let href = format!("/dashboard/assets/{}/{name}", &digest[..16]);
        Self {
            href,
            content_type,
            body: body.into(),
        }
    }

    fn embedded(name: &str, content_type: &'static str) -> Self {
        // The folder is part of the program; a test loads each.
        let body = Embedded::get(name).map(|file| file.data.into_owned());
        Self::new(name, content_type, body.unwrap_or_default())
    }
}

impl Assets {
    /// Those of the program and of the configuration. A logo that cannot be read is left out, and the log says so.
    pub fn new(config: &crate::config::Dashboard) -> Self {
        Self {
            style: Asset::embedded("style.css", "text/css; charset=utf-8"),
            brand: Asset::new(
                "brand.css",
                "text/css; charset=utf-8",
                colours(config).into_bytes(),
            ),
            script: Asset::embedded("dashboard.js", "text/javascript; charset=utf-8"),
            icon: Asset::embedded("icon.svg", "image/svg+xml"),
            logo: config.logo.as_deref().and_then(logo),
        }
    }

    fn all(&self) -> impl Iterator<Item = &Asset> {
        [&self.style, &self.brand, &self.script, &self.icon]
            .into_iter()
            .chain(&self.logo)
    }
}

fn logo(path: &std::path::Path) -> Option<Asset> {
    let extension = path.extension().and_then(|extension| extension.to_str());
    let (name, content_type) = match extension.map(str::to_ascii_lowercase).as_deref() {
        Some("svg") => ("logo.svg", "image/svg+xml"),
        Some("png") => ("logo.png", "image/png"),
        Some("webp") => ("logo.webp", "image/webp"),
        _ => {
            tracing::error!(path = %path.display(), "dashboard.logo must be an SVG, PNG or WebP file; it is left out");
            return None;
        }
    };
    let fits = std::fs::metadata(path).is_ok_and(|file| file.len() <= LARGEST_LOGO);
    match std::fs::read(path) {
        Ok(body) if fits => Some(Asset::new(name, content_type, body)),
        _ => {
            tracing::error!(path = %path.display(), "dashboard.logo cannot be read, or is larger than 64 KiB; it is left out");
            None
        }
    }
}

/// The accent colour of the configuration, and what is written on it: white or near black, whichever is read better.
fn colours(config: &crate::config::Dashboard) -> String {
    let white = crate::config::Colour::new(0xff, 0xff, 0xff);
    let black = crate::config::Colour::new(0x10, 0x12, 0x14);
    let rule = |accent: crate::config::Colour| {
        let on = if accent.contrast(white) >= accent.contrast(black) {
            white
        } else {
            black
        };
        format!("--accent: {accent}; --on-accent: {on};")
    };
    let (light, dark) = (rule(config.accent()), rule(config.accent_dark()));
    format!(
        ":root {{ {light} }}\n@media (prefers-color-scheme: dark) {{ :root:not([data-theme=\"light\"]) {{ {dark} }} }}\n\
         :root[data-theme=\"dark\"] {{ {dark} }}\n"
    )
}

/// One of them, by its address.
pub async fn show(
    request: HttpRequest,
    dashboard: web::Data<Dashboard>,
) -> Result<HttpResponse, Problem> {
    let asset = dashboard
        .assets
        .all()
        .find(|asset| asset.href == request.path());
    let asset = asset.ok_or_else(Problem::not_found)?;
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, HeaderValue::from_static(asset.content_type)))
        .insert_header((CACHE_CONTROL, "public, max-age=31536000, immutable"))
        // A logo may be an SVG, which is a document of its own where it is opened alone.
        .insert_header((
            CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'; sandbox",
        ))
        .insert_header(("Cross-Origin-Resource-Policy", "same-origin"))
        .body(asset.body.clone()))
}
