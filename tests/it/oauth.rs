//! OAuth 2.0 and OpenID Connect.

mod access_tokens;
mod authorize;
mod client_auth;
mod client_credentials;
mod clocks;
mod codes;
mod conformance;
mod device;
mod device_guards;
mod discovery;
mod dpop;
mod dpop_flow;
mod ending;
mod farewells;
mod fetched;
mod flow;
mod forged;
mod interaction;
mod introspection;
mod keys;
mod logout;
mod pairwise;
mod permits;
mod pushed;
mod refreshing;
mod registration;
mod revocation;
mod round_trips;
mod userinfo;

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde_json::Value;

use crate::{actor::Actor, answer::Answer};

/// Sends a form with headers of one's own.
async fn post(actor: &Actor, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let mut request = actor.http.post(format!("{}{path}", actor.base)).body(body.to_owned());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Answer::read(request.send().await.unwrap()).await
}

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
const PLAIN: &str = "grant_type=client_credentials";

fn basic(id: &str, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")))
}

fn part(token: &str, n: usize) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(n).unwrap()).unwrap()).unwrap()
}

fn encode(json: &Value) -> String {
    URL_SAFE_NO_PAD.encode(json.to_string())
}
