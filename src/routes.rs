//! Every route and every layer, on one page.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request, State},
    http::{HeaderValue, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use tower_governor::{GovernorError, GovernorLayer, governor::GovernorConfigBuilder};
use tower_http::set_header::SetResponseHeaderLayer;
use utoipa::{
    OpenApi,
    openapi::security::{Http, HttpAuthScheme, SecurityScheme},
};
use utoipa_axum::router::OpenApiRouter;
use utoipa_swagger_ui::SwaggerUi;

use crate::{
    account, admin,
    app::App,
    authz, oauth, ops, pages,
    web::{self, ApiError, TokenLimit},
};

/// The document's frame; its paths come from the routes.
#[derive(OpenApi)]
#[openapi(
    info(title = "Deodar", description = "OpenID Connect provider and Cedar policy decision point"),
    security(("bearer" = []))
)]
struct Document;

/// The routes with their description.
pub fn api(app: &App) -> OpenApiRouter<App> {
    let mut document = Document::openapi();
    let components = document.components.get_or_insert_default();
    components.add_security_scheme("bearer", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
    components.add_security_scheme("basic", SecurityScheme::Http(Http::new(HttpAuthScheme::Basic)));
    OpenApiRouter::with_openapi(document)
        .merge(authz::routes())
        .merge(account::routes())
        .merge(admin::routes())
        .merge(limited(app, oauth::limited_routes()))
        .merge(oauth::routes())
        .merge(limited(app, oauth::browser_routes(app)))
        .merge(ops::routes())
}

/// The whole server.
pub fn router(app: &App) -> Router {
    let (router, document) = api(app).split_for_parts();
    let docs = SwaggerUi::new("/docs").url("/openapi.json", document);
    // The pages of the API reference load scripts and styles from here only; the bundle needs inline styles.
    let policy = "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; \
                  img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'";
    let docs = Router::new().merge(docs).layer(SetResponseHeaderLayer::if_not_present(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(policy),
    ));
    router
        .merge(docs)
        .merge(pages::routes(app))
        .fallback(async || ApiError::NotFound("such path".to_owned()))
        .method_not_allowed_fallback(async || ApiError::MethodNotAllowed)
        // All at once: each `layer` of its own would box every route once more.
        .layer((middleware::from_fn_with_state(app.clone(), around), DefaultBodyLimit::max(app.config.body_limit)))
        .with_state(app.clone())
}

/// What happens to every request.
async fn around(State(app): State<App>, request: Request, next: Next) -> Response {
    web::track(&app, request, async |request| oauth::cors(request, next).await).await
}

/// Limits requests by the client's address, on this node.
fn limited(app: &App, router: OpenApiRouter<App>) -> OpenApiRouter<App> {
    if app.config.token_rate == 0 {
        return router;
    }
    let config = GovernorConfigBuilder::default()
        .period(Duration::from_secs(1) / app.config.token_rate)
        .burst_size(app.config.token_burst)
        .key_extractor(TokenLimit { trusted: app.config.trusted_proxies.clone() })
        .finish();
    match config {
        Some(config) => router.layer(GovernorLayer::new(Arc::new(config)).error_handler(|error| match error {
            GovernorError::TooManyRequests { wait_time, .. } => {
                ApiError::TooMany { retry_after: wait_time.max(1) }.into_response()
            }
            GovernorError::UnableToExtractKey | GovernorError::Other { .. } => {
                ApiError::Internal("the peer has no address".into()).into_response()
            }
        })),
        None => router,
    }
}
