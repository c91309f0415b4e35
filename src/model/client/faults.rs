//! What is wrong with client metadata. The one place that says so, for every way of registering a client.

use serde_json::Value;

use super::{ApplicationType, AuthMethod, ClientMetadata, GrantType, ResponseType, SubjectType, redirect_uri};

/// One member that is not acceptable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetadataFault {
    /// Where: `redirect_uris[3]`.
    pub field: String,
    /// `invalid_redirect_uri` or `invalid_client_metadata` (RFC 7591 §3.2.2), or `invalid_client_name`.
    pub code: &'static str,
    /// What is wrong and what to write instead.
    pub message: String,
}

const METADATA: &str = "invalid_client_metadata";
const REDIRECT: &str = "invalid_redirect_uri";
/// Most redirect URIs of a client.
const MOST_URIS: usize = 100;
/// Most public keys of a client.
const MOST_KEYS: usize = 20;
/// Most bytes of a key set.
const LONGEST_KEYS: usize = 16 * 1024;

#[derive(Default)]
struct Faults(Vec<MetadataFault>);

impl Faults {
    fn add(&mut self, field: impl Into<String>, code: &'static str, message: impl Into<String>) {
        self.0.push(MetadataFault { field: field.into(), code, message: message.into() });
    }
}

impl ClientMetadata {
    /// Everything that is wrong.
    pub fn faults(&self) -> Vec<MetadataFault> {
        let mut faults = Faults::default();
        self.check_texts(&mut faults);
        self.check_grants(&mut faults);
        self.check_redirects(&mut faults);
        self.check_links(&mut faults);
        self.check_keys(&mut faults);
        self.check_subjects(&mut faults);
        faults.0
    }

    fn check_texts(&self, faults: &mut Faults) {
        if self.client_name.as_deref().is_some_and(|name| !is_line(name, 200)) {
            let message = "a name has 1 to 200 characters and no control characters";
            faults.add("client_name", "invalid_client_name", message);
        }
        if self.contacts.len() > 20 || self.contacts.iter().any(|contact| !is_line(contact, 254)) {
            faults.add("contacts", METADATA, "at most 20 contacts of 1 to 254 characters");
        }
    }

    fn check_grants(&self, faults: &mut Faults) {
        let has = |grant| self.grant_types.contains(&grant);
        let public = self.token_endpoint_auth_method == AuthMethod::None;
        if public && (has(GrantType::ClientCredentials) || has(GrantType::Password)) {
            let message = "a client that proves nothing can use neither `client_credentials` nor `password`";
            faults.add("grant_types", METADATA, message);
        }
        if public && self.require_pkce == Some(false) {
            faults.add("require_pkce", METADATA, "only a client that proves who it is can do without PKCE");
        }
        if self.response_types.contains(&ResponseType::Code) != has(GrantType::AuthorizationCode) {
            let message = "`code` goes with the grant type `authorization_code`, and the other way round";
            faults.add("response_types", METADATA, message);
        }
    }

    fn check_redirects(&self, faults: &mut Faults) {
        if self.redirect_uris.is_empty() && self.grant_types.contains(&GrantType::AuthorizationCode) {
            faults.add("redirect_uris", REDIRECT, "the grant type `authorization_code` needs a redirect URI");
        }
        let lists = [
            ("redirect_uris", &self.redirect_uris, REDIRECT),
            ("post_logout_redirect_uris", &self.post_logout_redirect_uris, METADATA),
        ];
        for (field, uris, code) in lists {
            if uris.len() > MOST_URIS {
                faults.add(field, code, format!("at most {MOST_URIS} URIs"));
            }
            for (n, uri) in uris.iter().enumerate().take(MOST_URIS) {
                let web = self.application_type == Some(ApplicationType::Web) && !uri.starts_with("https:");
                let checked = redirect_uri::check(uri).and(match web {
                    true => Err("a `web` application has `https` URIs only: write `application_type`: `native`"),
                    false => Ok(()),
                });
                if let Err(message) = checked {
                    faults.add(format!("{field}[{n}]"), code, message);
                }
            }
        }
    }

    fn check_links(&self, faults: &mut Faults) {
        let links = [
            ("client_uri", &self.client_uri),
            ("logo_uri", &self.logo_uri),
            ("tos_uri", &self.tos_uri),
            ("policy_uri", &self.policy_uri),
            ("jwks_uri", &self.jwks_uri),
            ("sector_identifier_uri", &self.sector_identifier_uri),
        ];
        for (field, link) in links {
            if let Some(Err(message)) = link.as_deref().map(redirect_uri::check_link) {
                faults.add(field, METADATA, message);
            }
        }
        // Back-Channel Logout §2.2: plain `http` only where it leaves no machine.
        let loopback = |uri: &str| uri.starts_with("http:") && redirect_uri::check(uri).is_ok();
        let logout = self.backchannel_logout_uri.as_deref();
        let logout = logout.filter(|uri| !loopback(uri)).map(redirect_uri::check_link);
        if logout.is_some_and(|checked| checked.map_or(true, |url| url.fragment().is_some())) {
            faults.add("backchannel_logout_uri", METADATA, "write an `https` URI without a fragment");
        }
    }

    fn check_keys(&self, faults: &mut Faults) {
        if self.jwks.is_some() && self.jwks_uri.is_some() {
            faults.add("jwks_uri", METADATA, "write `jwks` or `jwks_uri`, not both");
        }
        let by_key = self.token_endpoint_auth_method == AuthMethod::PrivateKeyJwt;
        if by_key && self.jwks.is_none() && self.jwks_uri.is_none() {
            faults.add("jwks", METADATA, "`private_key_jwt` needs `jwks` or `jwks_uri`");
        }
        let Some(jwks) = &self.jwks else { return };
        let keys = jwks.get("keys").and_then(Value::as_array);
        let keys = keys.filter(|keys| keys.len() <= MOST_KEYS && jwks.to_string().len() <= LONGEST_KEYS);
        let is_public =
            |key: &Value| key.is_object() && ["d", "k", "p", "q"].iter().all(|part| key.get(part).is_none());
        if !keys.is_some_and(|keys| keys.iter().all(is_public)) {
            let message = format!("write {{\"keys\":[…]}} with at most {MOST_KEYS} keys, public members only");
            faults.add("jwks", METADATA, message);
        }
    }

    fn check_subjects(&self, faults: &mut Faults) {
        if self.subject_type == SubjectType::Pairwise && self.sector().is_none() {
            let message = "redirect URIs on one host, or `sector_identifier_uri`, say to whom a pairwise name belongs";
            faults.add("sector_identifier_uri", METADATA, message);
        }
    }
}

/// Whether a text is one line that shows what it is: no controls, none that turn the direction of writing around.
fn is_line(text: &str, most: usize) -> bool {
    let turns = |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    !text.trim().is_empty() && text.chars().count() <= most && !text.chars().any(|c| c.is_control() || turns(c))
}
