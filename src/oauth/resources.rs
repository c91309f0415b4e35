//! Resource indicators at the token endpoint (RFC 8707 §2.2): for which servers a token is.

use super::{
    authorize::{MOST_RESOURCES, is_resource},
    error::OAuthError,
    form::Form,
};

/// Whatever a client asks for on its own behalf.
pub fn asked(form: &Form) -> Result<Vec<String>, OAuthError> {
    let asked: Vec<String> = form.parameters().values("resource").map(str::to_owned).collect();
    if asked.len() <= MOST_RESOURCES && asked.iter().all(|resource| is_resource(resource)) {
        Ok(asked)
    } else {
        Err(OAuthError::InvalidTarget("`resource` is an absolute URI without a fragment"))
    }
}

/// Some of those that were authorized, or all of them.
pub fn narrowed(form: &Form, authorized: &[String]) -> Result<Vec<String>, OAuthError> {
    let asked = asked(form)?;
    if asked.is_empty() {
        Ok(authorized.to_vec())
    } else if asked.iter().all(|resource| authorized.contains(resource)) {
        Ok(asked)
    } else {
        Err(OAuthError::InvalidTarget("the authorization is not for every one of these resources"))
    }
}
