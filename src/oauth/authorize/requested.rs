//! The `claims` parameter (OpenID Connect Core §5.5).

use serde_json::{Map, Value};

use super::request::{Fault, Wanted};
use crate::model::{Claim, RequestedClaims, SessionRecord};
use crate::oauth::Parameters;

/// What it asks for.
#[derive(Debug)]
pub struct Asked {
    /// Claims about the person.
    pub claims: RequestedClaims,
    /// Whether it wants a second factor (`acr`).
    pub acr: Wanted,
    /// The person it has to be (`sub`).
    pub subject: Option<String>,
}

/// Reads it. Claims that this server does not have are no error.
pub fn read(parameters: &Parameters) -> Result<Asked, Fault> {
    let mut asked = Asked { claims: RequestedClaims::default(), acr: Wanted::No, subject: None };
    let Some(text) = parameters.get("claims") else { return Ok(asked) };
    let invalid = || Fault::new("invalid_request", "`claims` is an object with `userinfo` and `id_token`");
    let members: Map<String, Value> = serde_json::from_str(text).map_err(|_| invalid())?;
    let part = |name: &str| match members.get(name) {
        None | Some(Value::Null) => Ok(Map::new()),
        Some(Value::Object(part)) => Ok(part.clone()),
        Some(_) => Err(invalid()),
    };
    let (userinfo, id_token) = (part("userinfo")?, part("id_token")?);
    let wrong = |request: &Value| !matches!(request, Value::Null | Value::Object(_));
    if userinfo.values().chain(id_token.values()).any(wrong) {
        return Err(invalid());
    }
    asked.claims.userinfo = userinfo.keys().filter_map(|name| Claim::parse(name)).collect();
    asked.claims.id_token = id_token.keys().filter_map(|name| Claim::parse(name)).collect();
    asked.acr = id_token.get("acr").map_or(Ok(Wanted::No), second_factor)?;
    let subject = [id_token.get("sub"), userinfo.get("sub")].into_iter().flatten();
    asked.subject = subject.filter_map(|request| request.get("value")?.as_str()).map(str::to_owned).next();
    Ok(asked)
}

/// One value is enough. Of values that this server does not know, an essential one can never be had.
fn second_factor(request: &Value) -> Result<Wanted, Fault> {
    let values = request.get("values").and_then(Value::as_array).cloned().unwrap_or_default();
    let values: Vec<Value> = values.into_iter().chain(request.get("value").cloned()).collect();
    let has = |acr: &str| values.iter().any(|value| value == acr);
    let essential = request.get("essential") == Some(&Value::Bool(true));
    match (values.is_empty() || has(SessionRecord::ACR_PASSWORD), has(SessionRecord::ACR_MFA), essential) {
        (true, ..) | (false, false, false) => Ok(Wanted::No),
        (false, true, true) => Ok(Wanted::Essential),
        (false, true, false) => Ok(Wanted::Preferred),
        (false, false, true) => {
            Err(Fault::new("unmet_authentication_requirements", "nobody can log in here with that `acr`"))
        }
    }
}
