//! Proofs of possession where tokens are asked for (RFC 9449 §5).

use axum::http::HeaderMap;

use super::error::OAuthError;
use crate::{
    app::App,
    model::Client,
    tokens::Proved,
    web::{self, ApiError},
};

/// Thumbprint of the key that a POST to `path` proves to have; `None` when it carries no proof.
pub async fn proof(app: &App, headers: &HeaderMap, path: &str) -> Result<Option<String>, OAuthError> {
    let request = Proved { method: "POST", path, token: None };
    web::dpop::proof(app, headers, request).await.map_err(|error| match error {
        ApiError::InvalidProof(why) => OAuthError::InvalidProof(why),
        other => other.into(),
    })
}

/// The same at the token endpoint, where some clients get bound tokens only (RFC 9449 §5.2).
pub async fn proof_of(app: &App, headers: &HeaderMap, client: &Client) -> Result<Option<String>, OAuthError> {
    let jkt = proof(app, headers, "/oauth/token").await?;
    if jkt.is_none() && client.metadata.dpop_bound_access_tokens {
        return Err(OAuthError::InvalidProof("this client gets bound tokens only: send a proof in the header `DPoP`"));
    }
    Ok(jkt)
}
