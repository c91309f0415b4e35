//! Tokens that somebody else made, or made something else of, shown wherever tokens are taken (security §1.5): each kind
//! of forgery to each place.

use std::net::TcpListener;

use aws_lc_rs::hmac;
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD},
};
use deodar::{
    crypto::{PublicKey, SigningKey},
    model::Algorithm,
};
use reqwest::Method;
use serde_json::{Value, json};

use super::{encode, flow::OAuthClient, part};
use crate::{
    actor::Actor,
    answer::Answer,
    app::{ISSUER, TestApp},
    browser::Browser,
};

/// Where nobody must ever be fetched from.
struct Trap {
    listener: TcpListener,
    url: String,
}

impl Trap {
    fn set() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let url = format!("http://{}/keys", listener.local_addr().unwrap());
        Self { listener, url }
    }

    #[track_caller]
    fn is_untouched(&self) {
        let touched = self.listener.accept();
        assert_eq!(touched.unwrap_err().kind(), std::io::ErrorKind::WouldBlock, "somebody fetched what a token named");
    }
}

/// What somebody can make of a token and of the public key that verifies it: what it is, and the token.
fn forgeries(token: &str, key: &Value, trap: &Trap) -> Vec<(String, String)> {
    let (header, claims) = (part(token, 0), part(token, 1));
    let parts: Vec<&str> = token.split('.').collect();
    let (head, body, signature) = (parts[0], parts[1], parts[2]);
    let with = |name: &str, value: Value| {
        let mut header = header.clone();
        header[name] = value;
        header
    };
    let mut all: Vec<(String, String)> = Vec::new();
    let mut resigned = |what: &str, header: &Value| {
        all.push((what.to_owned(), format!("{}.{body}.{signature}", encode(header))));
        all.push((format!("{what}, no signature"), format!("{}.{body}.", encode(header))));
    };

    // N-135, N-137.
    for alg in [
        "none", "None", "NONE", "nOnE", "", "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS512",
        "ES256", "ES384", "ES512", "ES256K", "EdDSA", "Ed25519", "es256",
    ] {
        if header["alg"] != alg {
            resigned(&format!("alg {alg:?}"), &with("alg", json!(alg)));
        }
    }
    for alg in [json!(null), json!(0), json!([]), json!({}), json!(["none"])] {
        resigned(&format!("alg {alg}"), &with("alg", alg.clone()));
    }
    // N-138, N-140.
    for (name, value) in [
        ("jwk", key.clone()),
        ("jku", json!(trap.url)),
        ("x5u", json!(trap.url)),
        ("x5c", json!(["MIIB"])),
        ("crit", json!(["exp"])),
        ("crit", json!(["b64"])),
        ("crit", json!([])),
        ("crit", json!({})),
        ("crit", json!("x")),
    ] {
        resigned(name, &with(name, value));
    }
    // N-139.
    for kid in [
        json!("../../../dev/null"),
        json!("' OR 1=1--"),
        json!(""),
        json!("x".repeat(5000)),
        json!([]),
        json!({}),
        json!(0),
        json!(trap.url),
        json!("\0"),
    ] {
        resigned("kid", &with("kid", kid));
    }
    for header in [json!([]), json!("x"), json!(null), json!({})] {
        resigned("a header that is none", &header);
    }
    // N-136.
    for (what, secret) in secrets(key) {
        for (alg, algorithm) in
            [("HS256", hmac::HMAC_SHA256), ("HS384", hmac::HMAC_SHA384), ("HS512", hmac::HMAC_SHA512)]
        {
            let message = format!("{}.{body}", encode(&with("alg", json!(alg))));
            let tag = hmac::sign(&hmac::Key::new(algorithm, &secret), message.as_bytes());
            all.push((format!("{alg} by {what}"), format!("{message}.{}", URL_SAFE_NO_PAD.encode(tag))));
        }
    }
    // N-138: a key of one's own, that the token brings along or that has our name.
    for algorithm in Algorithm::ALL {
        let (own, _) = SigningKey::generate(algorithm).unwrap();
        let typ = header["typ"].as_str().unwrap_or("JWT");
        let signed = own.sign(typ, &claims).unwrap();
        all.push(("a foreign key".to_owned(), signed.clone()));
        let rest = signed.split_once('.').unwrap().1.to_owned();
        all.push(("a foreign key under our name".to_owned(), format!("{head}.{rest}")));
    }
    // N-103, N-144, N-145.
    let padded = URL_SAFE.encode(URL_SAFE_NO_PAD.decode(signature).unwrap());
    let flattened = json!({ "protected": head, "payload": body, "signature": signature }).to_string();
    let mut other = claims.clone();
    other["sub"] = json!("somebody");
    let deep = URL_SAFE_NO_PAD.encode(format!("{}1{}", "[".repeat(2000), "]".repeat(2000)));
    for (what, text) in [
        ("no signature", format!("{head}.{body}.")),
        ("no dot", format!("{head}.{body}")),
        ("four parts", format!("{token}.")),
        ("five parts", format!("{token}..")),
        ("an empty part first", format!(".{token}")),
        ("padding", format!("{head}.{body}.{padded}=")),
        ("a line break", format!("{head}.{body}.{}\n", signature)),
        ("one character less", token[..token.len() - 1].to_owned()),
        ("one character more", format!("{token}A")),
        ("lower case", token.to_lowercase()),
        ("other claims", format!("{head}.{}.{signature}", encode(&other))),
        ("claims that are a list", format!("{head}.{}.{signature}", encode(&json!([claims])))),
        ("deep claims", format!("{head}.{deep}.{signature}")),
        ("a deep header", format!("{deep}.{body}.{signature}")),
        ("flattened", flattened),
        ("standard base 64", format!("{head}.{body}.{}", STANDARD.encode(URL_SAFE_NO_PAD.decode(signature).unwrap()))),
    ] {
        if text.trim() != token {
            all.push((what.to_owned(), text));
        }
    }
    all
}

/// A public key, in every form in which somebody may take it for a secret.
fn secrets(key: &Value) -> Vec<(&'static str, Vec<u8>)> {
    let bytes = |name: &str| URL_SAFE_NO_PAD.decode(key[name].as_str().unwrap_or_default()).unwrap();
    let mut all = vec![
        ("nothing", Vec::new()),
        ("the key as JSON", key.to_string().into_bytes()),
        ("the key set", json!({ "keys": [key] }).to_string().into_bytes()),
        ("its x", bytes("x")),
        ("its n", bytes("n")),
        ("its n as text", key["n"].as_str().unwrap_or_default().as_bytes().to_vec()),
        ("its kid", key["kid"].as_str().unwrap_or_default().as_bytes().to_vec()),
    ];
    // SubjectPublicKeyInfo (RFC 5280 §4.1).
    let prefix: (&[u8], Vec<u8>) = match key["kty"].as_str().unwrap() {
        "EC" => (
            &[48, 89, 48, 19, 6, 7, 42, 134, 72, 206, 61, 2, 1, 6, 8, 42, 134, 72, 206, 61, 3, 1, 7, 3, 66, 0, 4],
            [bytes("x"), bytes("y")].concat(),
        ),
        "OKP" => (&[48, 42, 48, 5, 6, 3, 43, 101, 112, 3, 33, 0], bytes("x")),
        _ => (
            &[48, 130, 1, 34, 48, 13, 6, 9, 42, 134, 72, 134, 247, 13, 1, 1, 1, 5, 0, 3, 130, 1, 15, 0],
            [&[48, 130, 1, 10, 2, 130, 1, 1, 0][..], &bytes("n"), &[2, 3], &bytes("e")].concat(),
        ),
    };
    let der = [prefix.0, &prefix.1].concat();
    let lines: Vec<String> =
        STANDARD.encode(&der).as_bytes().chunks(64).map(|c| String::from_utf8_lossy(c).into()).collect();
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----", lines.join("\n"));
    all.push(("its PEM", pem.clone().into_bytes()));
    all.push(("its PEM with a line break", format!("{pem}\n").into_bytes()));
    all.push(("its DER", der));
    all
}

/// The key of ours that signed a token.
async fn key_of(app: &TestApp, token: &str) -> Value {
    let kid = part(token, 0)["kid"].clone();
    let set = app.anonymous().get("/oauth/jwks").await.is(200).json;
    set["keys"].as_array().unwrap().iter().find(|key| key["kid"] == kid).unwrap().clone()
}

async fn with_header(actor: &Actor, method: Method, path: &str, token: &str) -> Option<Answer> {
    // What is no header at all is not sent.
    let value = reqwest::header::HeaderValue::from_str(&format!("Bearer {token}")).ok()?;
    let request = actor.http.request(method, format!("{}{path}", actor.base)).header("authorization", value);
    Some(Answer::read(request.send().await.unwrap()).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_access_token_opens_nothing_n135_to_n140_n144_n145_v019_to_v024() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let trap = Trap::set();
    let shop = app.web_client(&admin, json!({})).await;
    let mut browser = app.browser_of(&app.person("ana").await).await;
    let good = shop.redeem(&shop.code(&mut browser, &[]).await).await.is(200).text_at("/access_token");
    let key = key_of(&app, &good).await;
    let anonymous = app.anonymous();
    for (what, token) in forgeries(&good, &key, &trap) {
        for (method, path) in
            [(Method::GET, "/oauth/userinfo"), (Method::GET, "/api/v1/me"), (Method::POST, "/authz/check")]
        {
            let Some(answer) = with_header(&anonymous, method, path, &token).await else { continue };
            assert_eq!(answer.status, 401, "{what} at {path}: {}", answer.text);
            assert_eq!(answer.header("www-authenticate"), "Bearer error=\"invalid_token\"", "{what} at {path}");
        }
        let form = [("access_token", token.as_str())];
        let request = anonymous.request(Method::POST, "/oauth/userinfo").form(&form);
        assert_eq!(Answer::read(request.send().await.unwrap()).await.status, 401, "{what} in a form");
        let seen = shop.form("/oauth/introspect", &[("token", &token)]).await.is(200);
        assert_eq!(seen.text, "{\"active\":false}", "{what}");
        shop.form("/oauth/revoke", &[("token", &token)]).await.is(200);
    }
    trap.is_untouched();
    app.bearer(&good).get("/oauth/userinfo").await.is(200);
}

/// Nor does a forged hint speak for anybody.
#[tokio::test(flavor = "multi_thread")]
async fn a_forged_hint_means_nobody_n051_n130() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let trap = Trap::set();
    for alg in ["RS256", "ES256", "EdDSA"] {
        let back = "https://meadow.test/bye";
        let more = json!({ "id_token_signed_response_alg": alg, "post_logout_redirect_uris": [back] });
        let shop = app.web_client(&admin, more).await;
        let ana = app.person(&format!("ana-{}", alg.to_lowercase())).await;
        let mut browser = app.browser_of(&ana).await;
        let good = shop.redeem(&shop.code(&mut browser, &[]).await).await.is(200).text_at("/id_token");
        let key = key_of(&app, &good).await;
        for (what, token) in forgeries(&good, &key, &trap) {
            browser.open(&shop.path(&[("id_token_hint", &token), ("prompt", "none")])).await;
            shop.returned(&browser).error("invalid_request");
            stays(&logout(&mut browser, &token, back).await, &format!("{alg}: {what}"));
        }
        shop.code(&mut browser, &[("id_token_hint", &good), ("prompt", "none")]).await;
        assert!(logout(&mut browser, &good, back).await.header("location").starts_with(back));
    }
    trap.is_untouched();
}

async fn logout(browser: &mut Browser, hint: &str, back: &str) -> Answer {
    let pairs = [("id_token_hint", hint), ("post_logout_redirect_uri", back)];
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    browser.get(&format!("/oauth/logout?{query}")).await
}

#[track_caller]
fn stays(answer: &Answer, what: &str) {
    assert!(matches!(answer.status, 200 | 400), "{what}: {} {}", answer.status, answer.text);
    assert_eq!(answer.header("location"), "", "{what}");
}

/// Nor a forged assertion a client.
#[tokio::test(flavor = "multi_thread")]
async fn a_forged_assertion_proves_nobody_n102_v011() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let trap = Trap::set();
    for algorithm in Algorithm::ALL {
        let (key, _) = SigningKey::generate(algorithm).unwrap();
        let public = PublicKey::new(key.kid(), algorithm, key.public()).unwrap().jwk().clone();
        let body = json!({ "client_name": "Signer", "scope": "orders", "token_endpoint_auth_method": "private_key_jwt",
            "jwks": { "keys": [public] } });
        let id = admin.create_client(body).await.is(201).text_at("/client_id");
        let now = app.clock.now().unix_timestamp();
        let claims = json!({ "iss": id, "sub": id, "aud": ISSUER, "iat": now, "exp": now + 240, "jti": "1" });
        let good = key.sign("JWT", &claims).unwrap();
        let present = async |assertion: &str| {
            let ty = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
            let form =
                [("grant_type", "client_credentials"), ("client_assertion_type", ty), ("client_assertion", assertion)];
            app.anonymous().token_form(&form).await
        };
        for (what, assertion) in forgeries(&good, &public, &trap) {
            let answer = present(&assertion).await;
            let seen = (answer.status, answer.json["error"].as_str().unwrap_or_default());
            assert_eq!(seen, (401, "invalid_client"), "{algorithm:?}: {what}");
        }
        present(&good).await.is(200);
    }
    trap.is_untouched();
}

/// The other signature that ECDSA allows for the same token makes no other token of it.
#[tokio::test(flavor = "multi_thread")]
async fn the_other_signature_of_a_token_is_no_second_token_n145_v024() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let good = admin.token.clone().unwrap();
    let other = mirrored(&good);
    let accepted = app.bearer(&other).roles("").await.status;
    assert!(matches!(accepted, 200 | 401), "{accepted}");
    admin.revoke(&good).await.is(200);
    app.bearer(&other).roles("").await.problem(401, "unauthorized");
    assert_eq!(admin.introspect(&other).await.is(200).text, "{\"active\":false}");

    // Nor of what works once.
    let shop = app.client("shop", "orders", &[]).await;
    let prover = app.prover();
    let proof = prover.proof("POST", "/oauth/token", None);
    let grant = [("grant_type", "client_credentials")];
    shop.token_form_with(&grant, &[&proof]).await.is(200);
    shop.token_form_with(&grant, &[&mirrored(&proof)]).await.oauth(400, "invalid_dpop_proof");
}

/// The same token with `n - s` in place of `s`.
fn mirrored(token: &str) -> String {
    const ORDER: &str = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
    let (message, signature) = token.rsplit_once('.').unwrap();
    let mut bytes = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let mut borrow = 0;
    for n in (0..32).rev() {
        let digit = i32::from(u8::from_str_radix(&ORDER[2 * n..2 * n + 2], 16).unwrap());
        let difference = digit - i32::from(bytes[32 + n]) - borrow;
        borrow = i32::from(difference < 0);
        bytes[32 + n] = u8::try_from(difference.rem_euclid(256)).unwrap();
    }
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(bytes))
}

/// Whatever is in a parameter, and whoever sends it: an error in OAuth's form, never one of ours (V-062, N-074, N-076).
#[tokio::test(flavor = "multi_thread")]
async fn no_parameter_breaks_an_endpoint_v062_n074_n076() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let grants = json!(["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"]);
    let all = json!([
        "authorization_code",
        "refresh_token",
        "client_credentials",
        "password",
        "urn:ietf:params:oauth:grant-type:device_code"
    ]);
    let shop = app.web_client(&admin, json!({ "grant_types": all })).await;
    let pocket = app
        .web_client(
            &admin,
            json!({ "grant_types": grants, "token_endpoint_auth_method": "none",
        "redirect_uris": ["http://127.0.0.1/cb"] }),
        )
        .await;
    let nobody = OAuthClient { id: "nobody".to_owned(), secret: Some("x".to_owned()), ..shop.clone() };
    let long = "x".repeat(100_000);
    let values = ["\0", "a\0b", "\u{ffff}", "\u{202e}", "ä", " ", "\r\nx: y", "%00", "'\"\\", "null", "-1", &long];
    let names = [
        "code",
        "redirect_uri",
        "code_verifier",
        "refresh_token",
        "device_code",
        "username",
        "password",
        "mfa_token",
        "otp",
        "scope",
        "resource",
        "token",
        "token_type_hint",
        "dpop_jkt",
        "nonce",
        "request_uri",
    ];
    let mut browser = app.browser_of(&app.person("ana").await).await;
    for client in [&shop, &pocket, &nobody] {
        for value in values {
            let every: Vec<(&str, &str)> = names.iter().map(|name| (*name, value)).collect();
            for grant in all
                .as_array()
                .unwrap()
                .iter()
                .map(|grant| grant.as_str().unwrap())
                .chain(["urn:deodar:grant-type:mfa-otp", value])
            {
                let form = [&every[..], &[("grant_type", grant)]].concat();
                fine(&client.form("/oauth/token", &form).await, &format!("{grant} {value:.9?}"));
            }
            for path in ["/oauth/introspect", "/oauth/revoke", "/oauth/par", "/oauth/device_authorization"] {
                fine(&client.form(path, &every).await, &format!("{path} {value:.9?}"));
            }
        }
    }
    // One bad parameter beside good ones.
    for (name, value) in names.iter().flat_map(|name| values.map(|value| (*name, value))) {
        let code = shop.code(&mut browser, &[]).await;
        let code = if name == "code" { value } else { &code };
        let answer = shop.redeem_with(code, &[(name, value)][..usize::from(name != "code")]).await;
        assert!(matches!(answer.status, 200 | 400), "{name} {value:.9?}: {} {}", answer.status, answer.text);
    }
}

#[track_caller]
fn fine(answer: &Answer, what: &str) {
    // Guesses at passwords are slowed down.
    assert!(matches!(answer.status, 200 | 201 | 400 | 401 | 429), "{what}: {} {}", answer.status, answer.text);
    assert_eq!(answer.header("cache-control"), "no-store", "{what}");
    assert!(answer.text.is_empty() || answer.header("content-type") == "application/json", "{what}");
}
