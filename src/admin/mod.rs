//! Face: JSON for administrators, `/api/v1/admin`. One file for each resource.
//!
//! Every call is a Cedar action of `schema/deodar.cedarschema`, judged by `policies/admin.cedar` and by grants.

mod assignments;
mod audit;
mod authority;
mod bundles;
mod client_body;
mod clients;
mod grants;
mod keys;
mod registration_tokens;
mod roles;
mod users;

use utoipa_axum::{router::OpenApiRouter, routes};

use crate::app::App;

/// Every route of this face.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(users::list, users::create))
        .routes(routes!(users::get, users::update, users::delete))
        .routes(routes!(users::deactivate))
        .routes(routes!(users::activate))
        .routes(routes!(users::unlock))
        .routes(routes!(users::end_sessions))
        .routes(routes!(users::reset_mfa))
        .routes(routes!(users::grant_bypass))
        .routes(routes!(audit::list))
        .routes(routes!(roles::list, roles::create))
        .routes(routes!(roles::get, roles::update, roles::delete))
        .routes(routes!(roles::inherit, roles::disinherit))
        .routes(routes!(roles::effective))
        .routes(routes!(grants::list, grants::create))
        .routes(routes!(grants::get, grants::delete))
        .routes(routes!(grants::batch))
        .routes(routes!(assignments::list_of_user))
        .routes(routes!(assignments::assign_to_user, assignments::unassign_from_user))
        .routes(routes!(assignments::list_of_client))
        .routes(routes!(assignments::assign_to_client, assignments::unassign_from_client))
        .routes(routes!(clients::list, clients::create))
        .routes(routes!(clients::get, clients::update, clients::delete))
        .routes(routes!(clients::rotate_secret))
        .routes(routes!(bundles::list, bundles::create))
        .routes(routes!(bundles::get))
        .routes(routes!(bundles::activate))
        .routes(routes!(registration_tokens::list, registration_tokens::create))
        .routes(routes!(registration_tokens::delete))
        .routes(routes!(keys::list))
        .routes(routes!(keys::rotate))
}

/// The one server, as the resource of calls that are about no single thing.
fn server() -> crate::model::EntityRef {
    crate::model::EntityRef::new("Deodar::Server", "deodar")
}
