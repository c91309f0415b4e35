//! What this OpenID provider says of itself (OpenID Connect Discovery §3, RFC 8414 §2): only what works.
//!
//! One document under three names, written once: it depends on nothing but the configuration.

use axum::{
    extract::{Path, State},
    http::HeaderMap,
    response::Response,
};
use serde_json::{Value, json};

use super::{authorize::ResponseMode, document::answer};
use crate::{
    app::App,
    config::Registration,
    model::{Algorithm, AuthMethod, Claim, GrantType, ScopeSet, SessionRecord},
    tokens::{Document, Tokens},
    web::ApiError,
};

/// What this OpenID provider can do.
#[utoipa::path(get, path = "/.well-known/openid-configuration", tag = "oauth", security(()),
    responses((status = 200, body = Object)))]
pub async fn openid(State(app): State<App>, headers: HeaderMap) -> Response {
    document(&app, &headers)
}

/// The same, under a name that some clients have for it.
#[utoipa::path(get, path = "/.well-known/openid_configuration", tag = "oauth", security(()),
    responses((status = 200, body = Object)))]
pub async fn openid_underscore(State(app): State<App>, headers: HeaderMap) -> Response {
    document(&app, &headers)
}

/// The same, under the name of RFC 8414.
#[utoipa::path(get, path = "/.well-known/oauth-authorization-server", tag = "oauth", security(()),
    responses((status = 200, body = Object)))]
pub async fn oauth(State(app): State<App>, headers: HeaderMap) -> Response {
    document(&app, &headers)
}

/// Where RFC 8414 §3.1 has it for an issuer with a path: the path follows the name.
pub async fn of_path(
    State(app): State<App>,
    Path(path): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    if app.config.issuer.path().strip_prefix('/') == Some(&path) {
        Ok(document(&app, &headers))
    } else {
        Err(ApiError::NotFound("such path".to_owned()))
    }
}

fn document(app: &App, headers: &HeaderMap) -> Response {
    answer(headers, app.metadata.get_or_init(|| Document::new(&describe(app))))
}

fn describe(app: &App) -> Value {
    let issuer = app.config.issuer.as_str();
    let endpoint = |name: &str| format!("{issuer}/oauth/{name}");
    let methods =
        [AuthMethod::ClientSecretBasic, AuthMethod::ClientSecretPost, AuthMethod::PrivateKeyJwt, AuthMethod::None];
    let methods = methods.map(AuthMethod::as_str);
    // What a client signs with is up to its keys.
    let assertions = ["RS256", "PS256", "ES256", "ES384", "EdDSA"];
    let grants: Vec<&str> = GrantType::ALL.into_iter().map(GrantType::as_str).chain([GrantType::MFA_OTP]).collect();
    let own = ["sub", "iss", "aud", "exp", "iat", "auth_time", "acr", "amr", "sid", "nonce", "at_hash"];
    let claims: Vec<&str> = own.into_iter().chain(Claim::ALL.map(|(_, name, _)| name)).collect();
    let mut document = json!({
        "issuer": issuer,
        "authorization_endpoint": endpoint("authorize"),
        "pushed_authorization_request_endpoint": endpoint("par"),
        "device_authorization_endpoint": endpoint("device_authorization"),
        "token_endpoint": endpoint("token"),
        "userinfo_endpoint": endpoint("userinfo"),
        "introspection_endpoint": endpoint("introspect"),
        "revocation_endpoint": endpoint("revoke"),
        "end_session_endpoint": endpoint("logout"),
        "backchannel_logout_supported": true,
        "backchannel_logout_session_supported": true,
        "jwks_uri": endpoint("jwks"),
        "response_types_supported": ["code"],
        "response_modes_supported": ResponseMode::SUPPORTED.map(|(name, _)| name),
        "grant_types_supported": grants,
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": true,
        "require_pushed_authorization_requests": false,
        "request_parameter_supported": false,
        "request_uri_parameter_supported": false,
        "claims_parameter_supported": true,
        "claim_types_supported": ["normal"],
        "claims_supported": claims,
        "acr_values_supported": [SessionRecord::ACR_PASSWORD, SessionRecord::ACR_MFA],
        "prompt_values_supported": ["none", "login", "consent", "select_account"],
        "userinfo_signing_alg_values_supported": Algorithm::ALL.map(Algorithm::as_str),
        "scopes_supported": ScopeSet::STANDARD.iter().chain(&ScopeSet::RESERVED).collect::<Vec<_>>(),
        "subject_types_supported": ["public", "pairwise"],
        "id_token_signing_alg_values_supported": Algorithm::ALL.map(Algorithm::as_str),
        "token_endpoint_auth_methods_supported": methods,
        "token_endpoint_auth_signing_alg_values_supported": assertions,
        "introspection_endpoint_auth_methods_supported": methods[..3],
        "introspection_endpoint_auth_signing_alg_values_supported": assertions,
        "revocation_endpoint_auth_methods_supported": methods,
        "revocation_endpoint_auth_signing_alg_values_supported": assertions,
        "dpop_signing_alg_values_supported": Tokens::PROOF_ALGORITHMS,
        "service_documentation": format!("{issuer}/docs"),
    });
    if app.config.registration != Registration::Off {
        document["registration_endpoint"] = endpoint("register").into();
    }
    document
}
