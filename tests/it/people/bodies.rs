//! Bodies that make no sense, on every call about people.

use reqwest::Method;
use serde_json::{Value, json};

use crate::{app::TestApp, person::PASSWORD};

/// Null, lists, numbers, twice the same name, more than is asked for: 400, and nothing happens.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_such_body_is_refused_v046_v054() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let ana = app.person("ana").await;
    let (authenticator, _) = ana.enable_totp(&app).await;
    let user = format!("/api/v1/admin/users/{}", ana.id());
    let calls: Vec<(Method, String, Value)> = vec![
        (
            Method::POST,
            "/api/v1/users".to_owned(),
            json!({ "username": "x1", "email": "x@x.com", "password": PASSWORD }),
        ),
        (Method::POST, "/api/v1/email-verification".to_owned(), json!({ "email": "x@x.com" })),
        (Method::POST, "/api/v1/email-verification/confirm".to_owned(), json!({ "token": "dev_x" })),
        (Method::POST, "/api/v1/password-reset".to_owned(), json!({ "email": "x@x.com" })),
        (
            Method::POST,
            "/api/v1/password-reset/confirm".to_owned(),
            json!({ "token": "dpr_x", "new_password": PASSWORD }),
        ),
        (Method::POST, "/api/v1/me/password".to_owned(), json!({ "current_password": "x", "new_password": "y" })),
        (Method::POST, "/api/v1/me/mfa/totp/confirm".to_owned(), json!({ "code": "000000" })),
        (Method::POST, "/api/v1/me/mfa/backup-codes".to_owned(), json!({ "password": "x", "code": "000000" })),
        (Method::DELETE, "/api/v1/me/mfa/totp".to_owned(), json!({ "password": "x", "code": authenticator.code() })),
        (Method::POST, format!("{user}/mfa-bypass"), json!({ "reason": "x", "ttl_seconds": 60 })),
    ];
    let before = ana.me.get("/api/v1/me").await.is(200).json;
    for (method, path, body) in calls {
        let actor = if path.contains("/admin/") { &admin } else { &ana.me };
        let mut wrong = vec!["".to_owned(), "null".to_owned(), "[]".to_owned(), "\"x\"".to_owned(), "{".to_owned()];
        for name in body.as_object().unwrap().keys() {
            for value in [json!(null), json!(["x"]), json!({ "x": "y" }), json!(1.5), json!(true)] {
                let mut other = body.clone();
                other[name] = value;
                wrong.push(other.to_string());
            }
            wrong.push(body.to_string().replacen('{', &format!("{{\"{name}\":{},", body[name]), 1));
        }
        wrong.push(body.to_string().replacen('{', "{\"more\":1,", 1));
        wrong.push(format!(
            "[{}]",
            body.as_object().unwrap().values().map(Value::to_string).collect::<Vec<_>>().join(",")
        ));
        for body in wrong {
            let answer = actor.send_text(method.clone(), &path, body.clone()).await;
            assert_eq!(answer.status, 400, "{method} {path} {body}: {}", answer.text);
            assert!(!answer.text.contains(PASSWORD), "{}", answer.text);
        }
        let plain = actor.request(method.clone(), &path).header("content-type", "text/plain").body(body.to_string());
        assert_eq!(plain.send().await.unwrap().status(), 415, "{method} {path}");
    }
    // Where a body may be left out it may not be nonsense either.
    for (method, path) in [
        (Method::POST, "/api/v1/me/mfa/totp"),
        (Method::POST, "/api/v1/me/deactivate"),
        (Method::DELETE, "/api/v1/me"),
        (Method::PATCH, "/api/v1/me"),
    ] {
        for body in ["null", "[]", "{\"password\":1}", "{\"password\":\"x\",\"password\":\"y\"}", "{\"more\":1}", "{"] {
            let answer = ana.me.send_text(method.clone(), path, body).await;
            assert_eq!(answer.status, 400, "{method} {path} {body}: {}", answer.text);
        }
    }
    assert_eq!(ana.me.get("/api/v1/me").await.is(200).json, before);
}
