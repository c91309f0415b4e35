//! Face: permission checks.

mod batch;
mod check;
mod request;

use utoipa_axum::{router::OpenApiRouter, routes};

use crate::app::App;

/// Every route of this face.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(check::check)).routes(routes!(batch::batch))
}
