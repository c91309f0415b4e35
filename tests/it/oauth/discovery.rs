//! What the provider says of itself, and to whom.

use reqwest::Method;
use serde_json::json;

use crate::{
    answer::Answer,
    app::{ISSUER, TestApp},
};

const NAMES: [&str; 3] = [
    "/.well-known/openid-configuration",
    "/.well-known/openid_configuration",
    "/.well-known/oauth-authorization-server",
];

#[tokio::test(flavor = "multi_thread")]
async fn the_metadata_are_the_same_under_every_name_and_host_n117_n118() {
    let app = TestApp::spawn().await;
    let first = app.anonymous().get(NAMES[0]).await.is(200);
    assert_eq!(first.header("content-type"), "application/json");
    assert!(first.header("cache-control").contains("max-age=") && !first.header("etag").is_empty());
    assert_eq!(first.json["issuer"], ISSUER);
    for name in NAMES {
        for host in ["deodar.test", "evil.example"] {
            let request = app.anonymous().request(Method::GET, name).header("host", host);
            assert_eq!(Answer::read(request.send().await.unwrap()).await.is(200).text, first.text);
        }
    }
}

/// What is listed is there, and what is not there is not listed.
#[tokio::test(flavor = "multi_thread")]
async fn the_metadata_list_what_works_n117() {
    let app = TestApp::spawn().await;
    let shop = app.client("shop", "orders", &[]).await;
    let metadata = shop.get(NAMES[0]).await.is(200).json;
    let document = shop.get("/openapi.json").await.json;
    for (name, value) in metadata.as_object().unwrap() {
        if let Some(path) = value.as_str().and_then(|url| url.strip_prefix(ISSUER))
            && !path.is_empty()
            && path != "/docs"
        {
            assert!(document["paths"].get(path).is_some(), "{name}: there is no {path}");
        }
    }
    for required in ["subject_types_supported", "id_token_signing_alg_values_supported", "jwks_uri", "token_endpoint"] {
        assert!(metadata.get(required).is_some(), "{required}");
    }
    let (id, secret) = (shop.who().id.clone(), shop.secret.clone().unwrap());
    for grant in metadata["grant_types_supported"].as_array().unwrap() {
        let form = [("grant_type", grant.as_str().unwrap()), ("client_id", &*id), ("client_secret", &*secret)];
        assert_ne!(shop.token_form(&form).await.json["error"], "unsupported_grant_type", "{grant}");
    }
    for grant in ["implicit", "urn:ietf:params:oauth:grant-type:token-exchange"] {
        assert!(!metadata["grant_types_supported"].as_array().unwrap().contains(&json!(grant)));
    }
    let off = TestApp::spawn_with(&[("DEODAR_REGISTRATION", "off")]).await;
    assert!(off.anonymous().get(NAMES[0]).await.json.get("registration_endpoint").is_none());
}

/// Scripts may call what takes no cookies, and nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn scripts_of_other_origins_may_call_what_browsers_need_n032() {
    let app = TestApp::spawn().await;
    let anonymous = app.anonymous();
    let ask = async |method: Method, path: &str| {
        let request = anonymous.request(method.clone(), path).header("origin", "https://spa.example");
        let request = request.header("access-control-request-method", "POST");
        Answer::read(request.send().await.unwrap()).await
    };
    for path in [NAMES[0], NAMES[1], NAMES[2], "/oauth/jwks", "/oauth/token", "/oauth/userinfo", "/oauth/revoke"] {
        for method in [Method::OPTIONS, Method::GET, Method::POST] {
            let answer = ask(method.clone(), path).await;
            assert_eq!(answer.header("access-control-allow-origin"), "*", "{method} {path}");
            assert_eq!(answer.header("access-control-allow-credentials"), "", "{method} {path}");
            assert!(
                method != Method::OPTIONS || answer.header("access-control-allow-headers").contains("authorization")
            );
        }
    }
    for path in ["/oauth/introspect", "/oauth/register", "/authz/check", "/api/v1/admin/roles", "/openapi.json"] {
        for method in [Method::OPTIONS, Method::GET, Method::POST] {
            let answer = ask(method.clone(), path).await;
            let names = answer.headers.keys().map(|name| name.as_str().to_owned());
            let opened: Vec<String> = names.filter(|name| name.starts_with("access-control-")).collect();
            assert!(opened.is_empty(), "{method} {path}: {opened:?}");
        }
    }
}

/// The path of an issuer follows the name of RFC 8414.
#[tokio::test(flavor = "multi_thread")]
async fn the_metadata_of_an_issuer_with_a_path_are_where_clients_look_n118() {
    let app = TestApp::spawn_with(&[("DEODAR_ISSUER", "https://deodar.test/id/one")]).await;
    let first = app.anonymous().get(NAMES[0]).await.is(200);
    assert_eq!(first.json["issuer"], "https://deodar.test/id/one");
    let path = format!("{}/id/one", NAMES[2]);
    let request = app.anonymous().request(Method::GET, &path).header("origin", "https://spa.test");
    let answer = Answer::read(request.send().await.unwrap()).await.is(200);
    assert_eq!((&answer.text, answer.header("access-control-allow-origin")), (&first.text, "*"));
    for other in ["/id", "/id/two", "/"] {
        app.anonymous().get(&format!("{}{other}", NAMES[2])).await.problem(404, "not_found");
    }
}
