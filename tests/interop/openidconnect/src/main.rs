//! Crate `openidconnect`: a confidential client of a program in Rust.

use std::{env, fs, process::Command};

use anyhow::{Context, Result, bail, ensure};
use openidconnect::{
    AccessToken, AccessTokenHash, AdditionalProviderMetadata, AuthorizationCode, ClientName, CsrfToken,
    IntrospectionUrl, IssuerUrl, LogoutProviderMetadata, LogoutRequest, Nonce, OAuth2TokenResponse, PkceCodeChallenge,
    PkceCodeVerifier, PostLogoutRedirectUrl, ProviderMetadata, RedirectUrl, RefreshToken, RevocationUrl, Scope,
    TokenIntrospectionResponse, TokenResponse,
    core::{
        CoreApplicationType, CoreAuthDisplay, CoreAuthPrompt, CoreAuthenticationFlow, CoreClaimName, CoreClaimType,
        CoreClient, CoreClientAuthMethod, CoreGrantType, CoreJsonWebKey, CoreJweContentEncryptionAlgorithm,
        CoreJweKeyManagementAlgorithm, CoreRegisterErrorResponseType, CoreResponseMode, CoreResponseType,
        CoreRevocableToken, CoreSubjectIdentifierType, CoreUserInfoClaims,
    },
    registration::{AdditionalClientMetadata, ClientRegistrationRequest, EmptyAdditionalClientRegistrationResponse},
    reqwest::{Certificate, blocking, redirect},
};
use serde::{Deserialize, Serialize};
use url::Url;

const CALLBACK: &str = "http://127.0.0.1/callback";
const SIGNED_OUT: &str = "http://127.0.0.1/signed-out";

/// What the crate's own metadata leave out.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct More {
    introspection_endpoint: IntrospectionUrl,
    revocation_endpoint: RevocationUrl,
}

impl AdditionalProviderMetadata for More {}

type Metadata = ProviderMetadata<
    LogoutProviderMetadata<More>,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;

/// What the crate's own registration leaves out.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct Leaving {
    post_logout_redirect_uris: Vec<PostLogoutRedirectUrl>,
}

impl AdditionalClientMetadata for Leaving {}

type Registration = ClientRegistrationRequest<
    Leaving,
    EmptyAdditionalClientRegistrationResponse,
    CoreApplicationType,
    CoreClientAuthMethod,
    CoreRegisterErrorResponseType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;

fn main() -> Result<()> {
    let mut http = blocking::ClientBuilder::new().redirect(redirect::Policy::none());
    // The crate revokes over https only, and the certificate is the server's own.
    if let Ok(file) = env::var("INTEROP_CERTIFICATE") {
        http = http.add_root_certificate(Certificate::from_pem(&fs::read(file)?)?);
    }
    let http = http.build()?;
    let metadata = Metadata::discover(&IssuerUrl::new(env::var("INTEROP_ISSUER")?)?, &http)?;
    println!("discovery");

    let redirect_uri = RedirectUrl::new(CALLBACK.to_owned())?;
    let endpoint = metadata.registration_endpoint().context("no registration endpoint")?;
    let signed_out = PostLogoutRedirectUrl::new(SIGNED_OUT.to_owned())?;
    let leaving = Leaving { post_logout_redirect_uris: vec![signed_out.clone()] };
    let registered = Registration::new(vec![redirect_uri.clone()], leaving)
        .set_client_name(Some([(None, ClientName::new("openidconnect".to_owned()))].into_iter().collect()))
        .set_application_type(Some(CoreApplicationType::Native))
        .set_grant_types(Some(vec![CoreGrantType::AuthorizationCode, CoreGrantType::RefreshToken]))
        .set_initial_access_token(Some(AccessToken::new(env::var("INTEROP_TOKEN")?)))
        .register(endpoint, &http)?;
    println!("dynamic registration");

    let more = metadata.additional_metadata().clone();
    let client = CoreClient::from_provider_metadata(
        metadata,
        registered.client_id().clone(),
        registered.client_secret().cloned(),
    )
    .set_redirect_uri(redirect_uri)
    .set_introspection_url(more.additional_metadata.introspection_endpoint.clone())
    .set_revocation_url(more.additional_metadata.revocation_endpoint.clone());

    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let flow = CoreAuthenticationFlow::AuthorizationCode;
    let scopes = ["profile", "email", "offline_access"].map(|scope| Scope::new(scope.to_owned()));
    let (address, state, nonce) = client
        .authorize_url(flow, CsrfToken::new_random, Nonce::new_random)
        .add_scopes(scopes)
        .add_prompt(CoreAuthPrompt::Consent)
        .set_pkce_challenge(challenge)
        .url();
    let answer = browse(&address, CALLBACK)?;
    ensure!(parameter(&answer, "state")? == *state.secret(), "state");
    let code = AuthorizationCode::new(parameter(&answer, "code")?);
    let again = PkceCodeVerifier::new(verifier.secret().clone());
    let tokens = client.exchange_code(code.clone())?.set_pkce_verifier(verifier).request(&http)?;
    println!("code, PKCE, state");

    let id_token = tokens.id_token().context("no ID token")?;
    let verifier = client.id_token_verifier();
    let claims = id_token.claims(&verifier, &nonce)?;
    if let Some(expected) = claims.access_token_hash() {
        let key = id_token.signing_key(&verifier)?;
        let hash = AccessTokenHash::from_token(tokens.access_token(), id_token.signing_alg()?, key)?;
        ensure!(hash == *expected, "at_hash");
    }
    println!("ID token, nonce");

    let subject = Some(claims.subject().clone());
    let userinfo: CoreUserInfoClaims = client.user_info(tokens.access_token().clone(), subject)?.request(&http)?;
    let name = userinfo.preferred_username().context("no preferred_username")?;
    ensure!(name.as_str() == env::var("INTEROP_USERNAME")?, "userinfo is about {}", name.as_str());
    println!("userinfo");

    let old: &RefreshToken = tokens.refresh_token().context("no refresh token")?;
    let fresh = client.exchange_refresh_token(old)?.request(&http)?;
    let refresh = fresh.refresh_token().context("no rotation")?.clone();
    ensure!(refresh.secret() != old.secret(), "the refresh token stays the same");
    println!("refresh");

    let seen = client.introspect(fresh.access_token()).request(&http)?;
    ensure!(seen.active() && seen.client_id() == Some(registered.client_id()), "{seen:?}");
    println!("introspection");

    client.revoke_token(CoreRevocableToken::RefreshToken(refresh.clone()))?.request(&http)?;
    refused(client.exchange_refresh_token(&refresh)?.request(&http), "a revoked refresh token")?;
    println!("revocation");

    refused(client.exchange_code(code)?.set_pkce_verifier(again).request(&http), "a code used twice")?;
    println!("no second use of a code");

    let end = more.end_session_endpoint.context("no end session endpoint")?;
    let leave = LogoutRequest::from(end).set_id_token_hint(id_token).set_post_logout_redirect_uri(signed_out);
    let left = browse(&leave.set_state(CsrfToken::new("bye".to_owned())).http_get_url(), SIGNED_OUT)?;
    ensure!(parameter(&left, "state")? == "bye", "{left}");
    println!("logout");
    Ok(())
}

fn refused<T, E: std::fmt::Debug>(outcome: Result<T, E>, what: &str) -> Result<()> {
    let Err(error) = outcome else { bail!("{what} still works") };
    let error = format!("{error:?}");
    ensure!(error.contains("invalid_grant"), "{what}: {error}");
    Ok(())
}

fn parameter(url: &Url, name: &str) -> Result<String> {
    let found = url.query_pairs().find(|(key, _)| key == name);
    Ok(found.with_context(|| format!("no {name} in {url}"))?.1.into_owned())
}

/// Sends the person to an address; where the browser came to.
fn browse(address: &Url, until: &str) -> Result<Url> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../person.mjs");
    let done = Command::new("node").args([script, address.as_str(), until]).output()?;
    ensure!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    Ok(String::from_utf8(done.stdout)?.trim().parse()?)
}
