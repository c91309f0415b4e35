//! Where a request comes from, as everything that is put on record wants to know.

use std::{
    convert::Infallible,
    net::{IpAddr, Ipv4Addr},
};

use axum::{
    extract::FromRequestParts,
    http::{header, request::Parts},
};

use super::{ClientAddress, RequestId};
use crate::{app::App, model::Origin};

/// The longest `User-Agent` that is kept, in characters.
const LONGEST: usize = 200;

impl FromRequestParts<App> for Origin {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Infallible> {
        Ok(origin(parts, app))
    }
}

/// Reads it off a request.
pub fn origin(parts: &Parts, app: &App) -> Origin {
    let address = ClientAddress::read(&parts.extensions, &parts.headers, &app.config.trusted_proxies);
    let agent = parts.headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    Origin {
        address: address.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |address| address.0),
        user_agent: agent.chars().filter(|c| !c.is_control()).take(LONGEST).collect(),
        request_id: parts.extensions.get::<RequestId>().map_or_else(String::new, |id| id.as_str().to_owned()),
        client: None,
        device: None,
    }
}
