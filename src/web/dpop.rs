//! Proofs of possession in the header `DPoP` (RFC 9449 §4.1).

use axum::http::HeaderMap;

use super::ApiError;
use crate::{
    app::App,
    store,
    tokens::{Proof, Proved, Tokens},
};

/// The header.
const HEADER: &str = "dpop";

/// The proof that a request carries, believed and spent; `None` when it carries none. Gives the thumbprint of its key.
///
/// A proof works once on all nodes together. It is spent at last, so that nobody can fill the memory of spent proofs
/// who could not have made use of one.
///
/// # Errors
/// There are several, it does not hold, or somebody presented it before.
pub async fn proof(app: &App, headers: &HeaderMap, request: Proved<'_>) -> Result<Option<String>, ApiError> {
    match read(app, headers, request)? {
        Some(proof) => Ok(Some(spend(app, proof).await?)),
        None => Ok(None),
    }
}

/// Whoever presents an access token that is bound to the key `jkt` has that key.
pub(super) async fn prove(app: &App, headers: &HeaderMap, request: Proved<'_>, jkt: &str) -> Result<(), ApiError> {
    let missing = "this token is bound to a key: send a proof in the header `DPoP`";
    let proof = read(app, headers, request)?.ok_or(ApiError::InvalidProof(missing))?;
    if proof.jkt != jkt {
        return Err(ApiError::InvalidProof("the proof is of another key than the one that the token is bound to"));
    }
    spend(app, proof).await.map(drop)
}

/// What a challenge says besides the scheme: which algorithms there are (RFC 9449 §7.1).
pub(super) fn algorithms() -> String {
    format!("algs=\"{}\"", Tokens::PROOF_ALGORITHMS.join(" "))
}

fn read(app: &App, headers: &HeaderMap, request: Proved<'_>) -> Result<Option<Proof>, ApiError> {
    let mut sent = headers.get_all(HEADER).iter();
    let Some(first) = sent.next() else { return Ok(None) };
    if sent.next().is_some() {
        return Err(ApiError::InvalidProof("send one header `DPoP` with one proof"));
    }
    let text = first.to_str().map_err(|_| ApiError::InvalidProof("the header `DPoP` is not a JWT"))?;
    match app.tokens.verify_proof(text, request) {
        Ok(proof) => Ok(Some(proof)),
        Err(fault) => Err(ApiError::InvalidProof(fault.0)),
    }
}

async fn spend(app: &App, proof: Proof) -> Result<String, ApiError> {
    if store::within(store::used_ids::insert(&app.pool, &proof.id, proof.expires_at)).await? {
        Ok(proof.jkt)
    } else {
        Err(ApiError::InvalidProof("the proof was presented before: make a new one for each request"))
    }
}
