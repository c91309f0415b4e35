//! The stylesheet and the pictures: compiled in, and named after what they hold, so that browsers keep them for good.

use std::sync::LazyLock;

use axum::{
    Router,
    extract::Path,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};

use crate::crypto::digest;

const STYLE: &str = include_str!("assets/style.css");
const ICON: &str = include_str!("assets/icon.svg");
/// A slope with deodars. Its colours come first, for it has a day and a night.
const SCENE: &str = include_str!("assets/scene.svg");
const DAY: &str =
    ".sun{fill:#f4dfa8}.peaks{fill:#cfdbd8}.snow{fill:#fbfcfb}.far{fill:#b3c8bd}.mid{fill:#7c9f8c}.near{fill:#2f6b4f}";
const NIGHT: &str =
    ".sun{fill:#e9ecdc}.peaks{fill:#1b2a2b}.snow{fill:#35494a}.far{fill:#172522}.mid{fill:#122019}.near{fill:#0a1510}";

static SCENES: LazyLock<[String; 2]> = LazyLock::new(|| {
    [DAY, NIGHT].map(|colours| SCENE.replacen("<defs>", &format!("<style>{colours}</style><defs>"), 1))
});
static VERSION: LazyLock<String> = LazyLock::new(|| {
    let hash = digest([STYLE, ICON, SCENE, DAY, NIGHT].concat().as_bytes());
    hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
});

/// Changes whenever one of them does.
pub(super) fn version() -> &'static str {
    &VERSION
}

/// `/assets/{version}/{name}`.
pub fn assets<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new().route("/assets/{version}/{name}", get(asset))
}

async fn asset(Path((asked, name)): Path<(String, String)>) -> Response {
    let [day, night] = &*SCENES;
    let (ty, text): (_, &'static str) = match &*name {
        "style.css" => ("text/css; charset=utf-8", STYLE),
        "icon.svg" => ("image/svg+xml", ICON),
        "day.svg" => ("image/svg+xml", day),
        "night.svg" => ("image/svg+xml", night),
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    // While releases change, a page of one may ask a node of the other: it gets what there is, and asks again next time.
    let kept = if asked == *VERSION { "public, max-age=31536000, immutable" } else { "no-cache" };
    let headers = [
        (header::CONTENT_TYPE, ty),
        (header::CACHE_CONTROL, kept),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'unsafe-inline'"),
    ]
    .map(|(name, value)| (name, HeaderValue::from_static(value)));
    (headers, text).into_response()
}
