//! As the OpenID Foundation's suite asks, where no other test stands for it. `docs/conformance.md` has the whole list.

use std::{collections::BTreeSet, fs, path::Path};

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use deodar::{
    crypto::{PublicKey, SigningKey},
    model::Algorithm,
};
use reqwest::Method;
use serde_json::{Value, json};

use super::flow::{OAuthClient, claims};
use crate::{
    actor::Actor,
    answer::Answer,
    app::{ISSUER, TestApp},
    browser::Browser,
};

const CALLBACK: &str = "https://suite.test/test/a/deodar/callback";
/// The suite's plans do without PKCE, but for one module.
const PLAIN: [(&str, &str); 2] = [("code_challenge", ""), ("code_challenge_method", "")];
const METADATA: &str = "/.well-known/openid-configuration";

/// The server as a certification run sets it up.
async fn certified() -> TestApp {
    let app = TestApp::spawn_with(&[("DEODAR_PKCE", "public_clients"), ("DEODAR_REGISTRATION", "open")]).await;
    app.admin().await;
    app
}

/// A client as the suite registers itself; `more` replaces members.
async fn register(app: &TestApp, more: Value) -> OAuthClient {
    let mut body = json!({
        "client_name": "suite test client", "application_type": "web", "contacts": ["certification@suite.test"],
        "redirect_uris": [CALLBACK], "grant_types": ["authorization_code"], "response_types": ["code"],
        "token_endpoint_auth_method": "client_secret_basic", "post_logout_redirect_uris": ["https://suite.test/out"],
    });
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    let made = app.anonymous().post("/oauth/register", &body).await.is(201);
    let uri = made.json["redirect_uris"][0].as_str().unwrap().to_owned();
    let secret = made.json["client_secret"].as_str().map(str::to_owned);
    OAuthClient { id: made.text_at("/client_id"), secret, redirect_uri: uri, http: app.anonymous() }
}

impl OAuthClient {
    /// The parameters of a request of the suite.
    fn plain<'a>(more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
        [&PLAIN[..], more].concat()
    }

    /// Redeems a code, and proves itself in the header.
    async fn redeem_by_header(&self, code: &str) -> Answer {
        let form = [("grant_type", "authorization_code"), ("code", code), ("redirect_uri", &self.redirect_uri)];
        let secret = self.secret.as_deref().unwrap_or_default();
        let request = self.http.http.post(format!("{}/oauth/token", self.http.base)).form(&form);
        Answer::read(request.basic_auth(&self.id, Some(secret)).send().await.unwrap()).await
    }
}

/// Verifies an ID token by the published keys (OpenID Connect Core §3.1.3.7).
async fn verify(client: &Actor, token: &str) -> Value {
    let header = super::part(token, 0);
    assert_eq!(header["alg"], "RS256");
    let jwks = client.get("/oauth/jwks").await.is(200).json;
    let known = jwks["keys"].as_array().unwrap().iter().filter(|key| key["kid"] == header["kid"]);
    let known: Vec<&Value> = known.collect();
    assert_eq!((known.len(), &known[0]["kty"], &known[0]["use"]), (1, &json!("RSA"), &json!("sig")));
    let bytes = |text: &Value| URL_SAFE_NO_PAD.decode(text.as_str().unwrap()).unwrap();
    let key = RsaPublicKeyComponents { n: bytes(&known[0]["n"]), e: bytes(&known[0]["e"]) };
    let (message, signature) = token.rsplit_once('.').unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    key.verify(&RSA_PKCS1_2048_8192_SHA256, message.as_bytes(), &signature).unwrap();
    claims(token)
}

/// `oidcc-server`, `oidcc-server-client-secret-post`, `oidcc-idtoken-signature`, `oidcc-idtoken-rs256`, `oidcc-userinfo-*`.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_of_the_suite_logs_somebody_in() {
    let app = certified().await;
    let ana = app.person("ana").await;
    for method in ["client_secret_basic", "client_secret_post"] {
        let suite = register(&app, json!({ "token_endpoint_auth_method": method })).await;
        let mut browser = app.browser_of(&ana).await;
        let returned = suite.authorize(&mut browser, &OAuthClient::plain(&[])).await;
        assert!(returned.code().len() >= 22, "at least 128 bits");
        let answer = match method {
            "client_secret_basic" => suite.redeem_by_header(&returned.code()).await,
            _ => suite.redeem_with(&returned.code(), &[("code_verifier", "")]).await,
        };
        let tokens = answer.is(200);
        assert_eq!(tokens.json["token_type"], "Bearer");
        let said = verify(&suite.http, &tokens.text_at("/id_token")).await;
        assert_eq!((&said["iss"], &said["aud"], &said["nonce"]), (&json!(ISSUER), &json!(suite.id), &json!("n-1")));
        assert!(said.get("name").is_none() && said.get("email").is_none(), "{said}");

        let token = tokens.text_at("/access_token");
        for way in [Method::GET, Method::POST] {
            let info = app.bearer(&token).send(way, "/oauth/userinfo", None).await.is(200);
            assert_eq!((info.header("content-type"), &info.json["sub"]), ("application/json", &said["sub"]));
        }
        // In the body it may be refused (RFC 6750 §2.2), and is not.
        let request = app.anonymous().request(Method::POST, "/oauth/userinfo").form(&[("access_token", &token)]);
        assert_eq!(Answer::read(request.send().await.unwrap()).await.is(200).json["sub"], said["sub"]);
    }
}

/// `oidcc-ensure-other-scope-order-succeeds`, `oidcc-scope-*`, `oidcc-claims-essential`.
#[tokio::test(flavor = "multi_thread")]
async fn scopes_in_any_order_bring_their_claims_from_userinfo_alone() {
    let app = certified().await;
    let ana = app.person("ana").await;
    ana.me.send(Method::PATCH, "/api/v1/me", Some(&json!({ "display_name": "Ana Ament" }))).await.is(200);
    let suite = register(&app, json!({})).await;
    let mut browser = app.browser_of(&ana).await;
    let essential = r#"{"userinfo":{"name":{"essential":true}}}"#;
    for (more, members) in [
        (vec![("scope", "email openid")], vec!["email", "email_verified", "sub"]),
        (vec![("scope", "profile openid")], vec!["name", "preferred_username", "sub", "updated_at"]),
        (
            vec![("scope", "openid profile email address phone")],
            vec!["email", "email_verified", "name", "preferred_username", "sub", "updated_at"],
        ),
        (vec![("scope", "openid"), ("claims", essential)], vec!["name", "sub"]),
        (vec![("scope", "openid")], vec!["sub"]),
    ] {
        let code = suite.code(&mut browser, &OAuthClient::plain(&more)).await;
        let tokens = suite.redeem_by_header(&code).await.is(200);
        let info = app.bearer(&tokens.text_at("/access_token")).get("/oauth/userinfo").await.is(200).json;
        let seen: BTreeSet<&str> = info.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(seen, members.into_iter().collect(), "{more:?}");
        let said = claims(&tokens.text_at("/id_token"));
        assert!(["name", "email", "preferred_username"].iter().all(|name| said.get(*name).is_none()), "{said}");
    }
}

/// `oidcc-ensure-request-with-acr-values-succeeds`: the suite asks for all that are advertised.
#[tokio::test(flavor = "multi_thread")]
async fn every_advertised_class_at_once_is_no_hindrance() {
    let app = certified().await;
    let suite = register(&app, json!({})).await;
    let mut browser = app.browser_of(&app.person("ana").await).await;
    let metadata = app.anonymous().get(METADATA).await.is(200).json;
    let advertised = metadata["acr_values_supported"].as_array().unwrap();
    let words: Vec<&str> = advertised.iter().map(|value| value.as_str().unwrap()).collect();
    let code = suite.code(&mut browser, &OAuthClient::plain(&[("acr_values", &words.join(" "))])).await;
    let said = claims(&suite.redeem_by_header(&code).await.is(200).text_at("/id_token"));
    assert!(advertised.contains(&said["acr"]), "{said}");
}

/// `oidcc-prompt-none-*`, `oidcc-id-token-hint`, for a client that registered itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_of_the_suite_asks_without_asking() {
    let app = certified().await;
    let ana = app.person("ana").await;
    let suite = register(&app, json!({})).await;
    let mut stranger = Browser::new(&app.node().base);
    stranger.open(&suite.path(&OAuthClient::plain(&[("prompt", "none")]))).await;
    suite.returned(&stranger).error("login_required");

    let mut browser = app.browser_of(&ana).await;
    let code = suite.code(&mut browser, &OAuthClient::plain(&[])).await;
    let hint = suite.redeem_by_header(&code).await.is(200).text_at("/id_token");
    let first = claims(&hint);
    for more in [vec![("prompt", "none")], vec![("prompt", "none"), ("id_token_hint", hint.as_str())]] {
        browser.open(&suite.path(&OAuthClient::plain(&more))).await;
        let code = suite.returned(&browser).code();
        let again = claims(&suite.redeem_by_header(&code).await.is(200).text_at("/id_token"));
        assert_eq!((&again["sub"], &again["auth_time"]), (&first["sub"], &first["auth_time"]));
    }
}

/// `oidcc-registration-policy-uri`, `oidcc-registration-tos-uri`: as links; `oidcc-registration-logo-uri`: nothing of it,
/// since our pages load nothing from elsewhere.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_client_says_of_itself_is_linked_where_people_agree() {
    let app = certified().await;
    let uri = |name: &str| format!("https://suite.test/{name}?a=1&b=\"");
    let more = json!({ "policy_uri": uri("policy"), "tos_uri": uri("tos"), "logo_uri": uri("logo") });
    let suite = register(&app, more).await;
    let mut browser = app.browser_of(&app.person("ana").await).await;
    browser.open(&suite.path(&OAuthClient::plain(&[]))).await;
    browser.is_at("/consent");
    for name in ["policy", "tos"] {
        browser.says(&format!("<a href=\"https://suite.test/{name}?a=1&#38;b=&#34;\" rel=\"noopener noreferrer\">"));
    }
    assert!(!browser.page.text.contains("https://suite.test/logo"));
}

/// `oidcc-ensure-request-object-with-redirect-uri`, `oidcc-unsigned-request-object-…`, `oidcc-request-uri-unsigned-…`.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_object_leads_nobody_anywhere() {
    let app = certified().await;
    let suite = register(&app, json!({})).await;
    let mut browser = app.browser_of(&app.person("ana").await).await;
    let object = "eyJhbGciOiJub25lIn0.eyJyZWRpcmVjdF91cmkiOiJodHRwczovL2V2aWwudGVzdC9jYiJ9.";
    for (name, value, error) in [
        ("request", object, "request_not_supported"),
        ("request_uri", "https://suite.test/object.jwt", "request_uri_not_supported"),
    ] {
        browser.open(&suite.path(&OAuthClient::plain(&[(name, value)]))).await;
        suite.returned(&browser).error(error);
        let more = [(name, value), ("redirect_uri", "https://suite.test/not/registered")];
        let answer = browser.get(&suite.path(&OAuthClient::plain(&more))).await;
        assert_eq!((answer.status, answer.header("location")), (400, ""), "{}", answer.text);
    }
    let metadata = app.anonymous().get(METADATA).await.json;
    for name in ["request_parameter_supported", "request_uri_parameter_supported"] {
        assert_eq!(metadata[name], false, "left out, the second would mean true");
    }
}

/// `oidcc-discovery-endpoint-verification`.
#[tokio::test(flavor = "multi_thread")]
async fn the_metadata_hold_what_the_suite_looks_for() {
    let app = certified().await;
    let answer = app.anonymous().get(METADATA).await.is(200);
    let metadata = answer.json.as_object().unwrap();
    for (name, value) in metadata {
        let is_address = name.ends_with("_endpoint") || name.ends_with("_uri") || name == "issuer";
        assert!(!is_address || value.as_str().unwrap().starts_with("https://"), "{name}: {value}");
    }
    for name in ["authorization_endpoint", "token_endpoint", "userinfo_endpoint", "registration_endpoint", "jwks_uri"] {
        assert!(metadata[name].is_string(), "{name}");
    }
    for (name, words) in [
        ("response_types_supported", &["code"][..]),
        ("response_modes_supported", &["query", "form_post"]),
        ("grant_types_supported", &["authorization_code", "refresh_token"]),
        ("subject_types_supported", &["public"]),
        ("id_token_signing_alg_values_supported", &["RS256"]),
        ("userinfo_signing_alg_values_supported", &["RS256"]),
        ("scopes_supported", &["openid"]),
        ("claims_supported", &["sub", "iss", "auth_time", "acr", "name", "email"]),
        ("code_challenge_methods_supported", &["S256"]),
        ("token_endpoint_auth_methods_supported", &["client_secret_basic", "client_secret_post", "private_key_jwt"]),
    ] {
        let listed = metadata[name].as_array().unwrap_or_else(|| panic!("{name}: {}", metadata[name]));
        assert!(words.iter().all(|word| listed.contains(&json!(word))), "{name}: {listed:?}");
        assert!(!listed.contains(&json!("none")) || name.starts_with("token_endpoint_auth"), "{name}");
    }
    assert_eq!(metadata["claims_parameter_supported"], true);
}

/// The Form Post plan asks the same questions, and reads the answers from a form.
#[tokio::test(flavor = "multi_thread")]
async fn every_answer_travels_by_a_form_as_well() {
    let app = certified().await;
    let suite = register(&app, json!({})).await;
    let mut browser = Browser::new(&app.node().base);
    let form = |more: &[(&'static str, &'static str)]| {
        suite.path(&OAuthClient::plain(&[&[("response_mode", "form_post")], more].concat()))
    };
    let fields = |browser: &Browser| -> Vec<String> {
        browser.filled(CALLBACK, &[]).into_iter().map(|(name, value)| format!("{name}={value}")).collect()
    };
    browser.open(&form(&[("prompt", "none")])).await;
    assert!(fields(&browser).contains(&"error=login_required".to_owned()));
    let ana = app.person("ana").await;
    browser = app.browser_of(&ana).await;
    for (more, error) in [
        ([("max_age", "x")], "error=invalid_request"),
        ([("request", "x")], "error=request_not_supported"),
        ([("prompt", "none")], "error=consent_required"),
    ] {
        browser.open(&form(&more)).await;
        let seen = fields(&browser);
        assert!(seen.contains(&error.to_owned()) && seen.contains(&"state=st&te=1 ä".to_owned()), "{seen:?}");
    }
    browser.open(&form(&[])).await;
    browser.submit("/consent", &[("decision", "allow")]).await;
    for round in 0..2 {
        assert_eq!(browser.page.header("cache-control"), "no-store");
        let code = browser.filled(CALLBACK, &[]).into_iter().find(|(name, _)| name == "code").unwrap().1;
        suite.redeem_by_header(&code).await.is(200);
        if round == 0 {
            browser.open(&form(&[("prompt", "none")])).await;
        }
    }
}

/// The Dynamic plan's way of client authentication; `oidcc-ensure-client-assertion-with-iss-aud-succeeds`,
/// `oidcc-userinfo-rs256`, `oidcc-refresh-token`.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_with_a_key_logs_somebody_in() {
    let app = certified().await;
    let (key, _) = SigningKey::generate(Algorithm::Rs256).unwrap();
    let public = PublicKey::new(key.kid(), Algorithm::Rs256, key.public()).unwrap();
    let more = json!({
        "token_endpoint_auth_method": "private_key_jwt", "jwks": { "keys": [public.jwk()] },
        "grant_types": ["authorization_code", "refresh_token"], "userinfo_signed_response_alg": "RS256",
    });
    let suite = register(&app, more).await;
    let mut browser = app.browser_of(&app.person("ana").await).await;
    let prove = |audience: String| {
        let now = app.clock.now().unix_timestamp();
        let jti = URL_SAFE_NO_PAD.encode(deodar::crypto::random::<16>().unwrap());
        let said =
            json!({ "iss": suite.id, "sub": suite.id, "aud": audience, "iat": now, "exp": now + 60, "jti": jti });
        key.sign("JWT", &said).unwrap()
    };
    let send = async |assertion: &str, form: &[(&str, &str)]| {
        let ty = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
        suite.http.token_form(&[&[("client_assertion_type", ty), ("client_assertion", assertion)], form].concat()).await
    };
    for audience in [ISSUER.to_owned(), format!("{ISSUER}/oauth/token")] {
        let more = [("scope", "openid offline_access"), ("prompt", "consent")];
        let code = suite.code(&mut browser, &OAuthClient::plain(&more)).await;
        let form = [("grant_type", "authorization_code"), ("code", &*code), ("redirect_uri", CALLBACK)];
        let tokens = send(&prove(audience.clone()), &form).await.is(200);
        let said = verify(&suite.http, &tokens.text_at("/id_token")).await;
        let info = app.bearer(&tokens.text_at("/access_token")).get("/oauth/userinfo").await.is(200);
        assert_eq!(info.header("content-type"), "application/jwt");
        let told = verify(&suite.http, &info.text).await;
        assert_eq!((&told["sub"], &told["aud"], told.get("nonce")), (&said["sub"], &json!(suite.id), None));
        let refresh = tokens.text_at("/refresh_token");
        let form = [("grant_type", "refresh_token"), ("refresh_token", &*refresh)];
        let again = send(&prove(audience), &form).await.is(200);
        let (again, before) = (verify(&suite.http, &again.text_at("/id_token")).await, said);
        assert_eq!((&again["sub"], &again["auth_time"]), (&before["sub"], &before["auth_time"]));
    }
}

/// What `docs/conformance.md` says stands for a module does exist.
#[test]
fn every_test_that_the_list_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let list = fs::read_to_string(root.join("docs/conformance.md")).unwrap();
    let named: BTreeSet<&str> = list.split('`').filter(|word| word.contains("::") && *word != "AREA::test").collect();
    assert!(named.len() > 20, "{named:?}");
    for name in named {
        let (area, test) = name.split_once("::").unwrap();
        let path = format!("tests/it/oauth/{area}.rs");
        let code = fs::read_to_string(root.join(&path)).unwrap_or_else(|_| panic!("`{name}`: there is no {path}"));
        let there = code
            .lines()
            .any(|line| line.split_once("fn ").is_some_and(|(_, rest)| rest.starts_with(&format!("{test}()"))));
        assert!(there, "`{name}` is not in {path}");
    }
}
