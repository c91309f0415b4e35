//! Bound tokens of people (RFC 9449 §5, §10): from the request for a code to the last refresh.

use serde_json::json;

use super::{
    flow::{OAuthClient, VERIFIER, claims},
    part,
};
use crate::{answer::Answer, app::TestApp, prover::Prover};

impl OAuthClient {
    /// A form at this path, by this client, perhaps with a proof.
    pub async fn proving(&self, prover: Option<&Prover>, path: &str, form: &[(&str, &str)]) -> Answer {
        let mut all = form.to_vec();
        all.push(("client_id", &self.id));
        all.extend(self.secret.as_deref().map(|secret| ("client_secret", secret)));
        let mut request = self.http.http.post(format!("{}{path}", self.http.base)).form(&all);
        if let Some(prover) = prover {
            request = request.header("dpop", prover.proof("POST", path, None));
        }
        Answer::read(request.send().await.unwrap()).await
    }

    async fn redeem_proving(&self, prover: Option<&Prover>, code: &str) -> Answer {
        let uri = self.redirect_uri.as_str();
        let grant = ("grant_type", "authorization_code");
        let form = [grant, ("code", code), ("redirect_uri", uri), ("code_verifier", VERIFIER)];
        self.proving(prover, "/oauth/token", &form).await
    }

    async fn refresh_proving(&self, prover: Option<&Prover>, token: &str) -> Answer {
        self.proving(prover, "/oauth/token", &[("grant_type", "refresh_token"), ("refresh_token", token)]).await
    }
}

const OFFLINE: [(&str, &str); 2] = [("scope", "openid offline_access"), ("prompt", "consent")];

/// What comes with a bound access token.
#[track_caller]
fn bound(answer: Answer, prover: &Prover) -> Answer {
    let answer = answer.is(200);
    assert_eq!(answer.json["token_type"], "DPoP");
    assert_eq!(claims(&answer.text_at("/access_token"))["cnf"]["jkt"], prover.jkt());
    answer
}

/// RFC 9449 §5: of a client that proves nothing else, the key is all there is.
#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_token_of_a_public_client_is_bound_to_its_key() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let pocket = app.public_client(&admin).await;
    let mut browser = app.browser_of(&app.person("ana").await).await;
    let (own, other) = (app.prover(), app.prover());
    let code = pocket.code(&mut browser, &OFFLINE).await;
    let first = bound(pocket.redeem_proving(Some(&own), &code).await, &own);
    let refresh = first.text_at("/refresh_token");
    pocket.refresh_proving(Some(&other), &refresh).await.oauth(400, "invalid_grant");
    pocket.refresh_proving(None, &refresh).await.oauth(400, "invalid_dpop_proof");
    // None of them used it up, nor ended anything.
    let second = bound(pocket.refresh_proving(Some(&own), &refresh).await, &own).text_at("/refresh_token");
    pocket.refresh_proving(None, &second).await.oauth(400, "invalid_dpop_proof");
    bound(pocket.refresh_proving(Some(&own), &second).await, &own);
    let token = first.text_at("/access_token");
    own.send(&app.anonymous(), reqwest::Method::GET, "/oauth/userinfo", &token).await.is(200);
    pocket.refresh_proving(Some(&own), &second).await.oauth(400, "invalid_grant");
    own.send(&app.anonymous(), reqwest::Method::GET, "/oauth/userinfo", &token).await.oauth(401, "invalid_token");
}

/// RFC 9449 §5: a client that proves who it is may change its key, and never goes back to bearer tokens.
#[tokio::test(flavor = "multi_thread")]
async fn a_confidential_client_may_change_its_key_and_not_drop_it() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let shop = app.web_client(&admin, json!({})).await;
    let mut browser = app.browser_of(&app.person("ana").await).await;
    let (first, second) = (app.prover(), app.prover_by("EdDSA"));
    let code = shop.code(&mut browser, &OFFLINE).await;
    let tokens = bound(shop.redeem_proving(Some(&first), &code).await, &first);
    shop.refresh_proving(None, &tokens.text_at("/refresh_token")).await.oauth(400, "invalid_dpop_proof");
    let tokens = bound(shop.refresh_proving(Some(&second), &tokens.text_at("/refresh_token")).await, &second);
    let seen = shop.form("/oauth/introspect", &[("token", &tokens.text_at("/access_token"))]).await.is(200).json;
    assert_eq!((&seen["token_type"], &seen["cnf"]["jkt"]), (&json!("DPoP"), &json!(second.jkt())));
}

/// What began without a key is bound from the first proof on.
#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_with_a_proof_binds_what_was_not_bound() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let pocket = app.public_client(&admin).await;
    let mut browser = app.browser_of(&app.person("ana").await).await;
    let prover = app.prover();
    let code = pocket.code(&mut browser, &OFFLINE).await;
    let plain = pocket.redeem_proving(None, &code).await.is(200);
    assert_eq!(plain.json["token_type"], "Bearer");
    let tokens = bound(pocket.refresh_proving(Some(&prover), &plain.text_at("/refresh_token")).await, &prover);
    let refresh = tokens.text_at("/refresh_token");
    pocket.refresh_proving(None, &refresh).await.oauth(400, "invalid_dpop_proof");
    pocket.refresh_proving(Some(&app.prover()), &refresh).await.oauth(400, "invalid_grant");
    bound(pocket.refresh_proving(Some(&prover), &refresh).await, &prover);
}

/// RFC 9449 §10: a code that was asked for with a key is worth nothing without it.
#[tokio::test(flavor = "multi_thread")]
async fn a_code_is_bound_to_the_key_that_was_named_for_it() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let pocket = app.public_client(&admin).await;
    let mut browser = app.browser_of(&app.person("ana").await).await;
    let (own, other) = (app.prover(), app.prover());
    for wrong in [None, Some(&other)] {
        let code = pocket.code(&mut browser, &[("dpop_jkt", &own.jkt())]).await;
        pocket.redeem_proving(wrong, &code).await.oauth(400, "invalid_grant");
        pocket.redeem_proving(Some(&own), &code).await.oauth(400, "invalid_grant");
    }
    let code = pocket.code(&mut browser, &[("dpop_jkt", &own.jkt())]).await;
    bound(pocket.redeem_proving(Some(&own), &code).await, &own);
    for bad in ["x", "AAAA", &format!("{}=", own.jkt())] {
        pocket.authorize(&mut browser, &[("dpop_jkt", bad)]).await.error("invalid_request");
    }
}

/// RFC 9449 §10.1: a proof that comes with a pushed request names the key.
#[tokio::test(flavor = "multi_thread")]
async fn a_pushed_request_is_bound_to_the_key_of_its_proof() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let shop = app.web_client(&admin, json!({})).await;
    let mut browser = app.browser_of(&app.person("ana").await).await;
    let (own, other) = (app.prover(), app.prover());
    let owned = shop.parameters(&[]);
    let parameters: Vec<(&str, &str)> =
        owned.iter().filter(|(name, _)| name != "client_id").map(|(n, v)| (n.as_str(), v.as_str())).collect();
    let jkt = own.jkt();
    let named = [&parameters[..], &[("dpop_jkt", jkt.as_str())]].concat();
    shop.proving(Some(&other), "/oauth/par", &named).await.oauth(400, "invalid_request");
    for form in [&parameters, &named] {
        let pushed = shop.proving(Some(&own), "/oauth/par", form).await.is(201).text_at("/request_uri");
        let path = format!("/oauth/authorize?client_id={}&request_uri={pushed}", shop.id);
        browser.open(&path).await;
        if browser.at.starts_with("/consent") {
            browser.submit("/consent", &[("decision", "allow")]).await;
        }
        let code = shop.returned(&browser).code();
        bound(shop.redeem_proving(Some(&own), &code).await, &own);
    }
    // A proof is for one endpoint.
    let proof = own.proof("POST", "/oauth/token", None);
    let request = shop.http.http.post(format!("{}/oauth/par", shop.http.base)).header("dpop", proof);
    let secret = shop.secret.clone().unwrap();
    let form = [&parameters[..], &[("client_id", shop.id.as_str()), ("client_secret", &secret)]].concat();
    Answer::read(request.form(&form).send().await.unwrap()).await.oauth(400, "invalid_dpop_proof");
    // Without any of this, the code is anybody's who has the secret.
    let code = shop.code(&mut browser, &[]).await;
    let plain = shop.redeem_proving(None, &code).await.is(200);
    assert!(part(&plain.text_at("/access_token"), 1).get("cnf").is_none());
}
