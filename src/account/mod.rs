//! Face: JSON for oneself, `/api/v1`. Registering, recovering, and one's own account under `/me`.
//!
//! Every call under `/me` is a Cedar action upon the caller's own `User`, judged by `policies/account.cedar`.

mod activity;
mod applications;
mod email;
mod me;
mod mfa;
mod recovery;
mod register;
mod sessions;

use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{app::App, model::Secret};

/// Every route of this face.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(register::register))
        .routes(routes!(email::request))
        .routes(routes!(email::confirm))
        .routes(routes!(recovery::request))
        .routes(routes!(recovery::confirm))
        .routes(routes!(me::get, me::update, me::delete))
        .routes(routes!(me::deactivate))
        .routes(routes!(me::change_password))
        .routes(routes!(mfa::get))
        .routes(routes!(mfa::enrol, mfa::disable))
        .routes(routes!(mfa::confirm))
        .routes(routes!(mfa::regenerate))
        .routes(routes!(sessions::list, sessions::end_all))
        .routes(routes!(sessions::end))
        .routes(routes!(applications::list))
        .routes(routes!(applications::withdraw))
        .routes(routes!(activity::list))
}

/// A password or a code as it came in.
#[derive(serde::Deserialize, utoipa::ToSchema)]
#[serde(transparent)]
#[schema(value_type = String, format = Password)]
struct Hidden(String);

impl Hidden {
    fn secret(self) -> Secret<String> {
        Secret::new(self.0)
    }
}
