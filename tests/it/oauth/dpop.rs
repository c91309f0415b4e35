//! Tokens that are bound to a key (RFC 9449).

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use reqwest::Method;
use serde_json::{Value, json};

use super::{encode, part};
use crate::{
    actor::{Actor, Who},
    answer::Answer,
    app::{ISSUER, TestApp},
    person::PASSWORD,
    prover::{ALGORITHMS, Prover},
};

const GRANT: [(&str, &str); 1] = [("grant_type", "client_credentials")];
const TOKEN: &str = "/oauth/token";
const ROLES: &str = "/api/v1/admin/roles";

/// A request with this token and these proofs.
async fn ask(app: &TestApp, scheme: &str, token: &str, proofs: &[&str]) -> Answer {
    let actor = app.anonymous();
    let mut request = actor.request(Method::GET, ROLES).header("authorization", format!("{scheme} {token}"));
    for proof in proofs {
        request = request.header("dpop", *proof);
    }
    Answer::read(request.send().await.unwrap()).await
}

/// What a request that is refused for its proof is answered.
#[track_caller]
fn unproven(answer: Answer, what: &str) {
    assert_eq!(answer.status, 401, "{what}: {}", answer.text);
    let challenge = answer.header("www-authenticate").to_owned();
    assert!(challenge.starts_with("DPoP error=\"invalid_dpop_proof\", algs=\"ES256 "), "{what}: {challenge}");
    answer.problem(401, "invalid_dpop_proof");
}

/// RFC 9449 §5, §6, §7.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_good_with_the_key_that_it_was_asked_for_with_and_for_nothing_else() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    for alg in ALGORITHMS {
        let prover = app.prover_by(alg);
        let answer = prover.token_form(&admin, &GRANT).await.is(200);
        assert_eq!(answer.json["token_type"], "DPoP", "{alg}");
        let token = answer.text_at("/access_token");
        assert_eq!(part(&token, 1)["cnf"], json!({ "jkt": prover.jkt() }));
        let seen = admin.introspect(&token).await.is(200).json;
        assert_eq!((&seen["token_type"], &seen["cnf"]["jkt"]), (&json!("DPoP"), &json!(prover.jkt())));

        for _ in 0..2 {
            prover.send(&admin, Method::GET, ROLES, &token).await.is(200);
            prover.send(&admin, Method::GET, &format!("{ROLES}?limit=1"), &token).await.is(200);
        }
        let answer = app.bearer(&token).roles("").await;
        assert_eq!(answer.header("www-authenticate"), "Bearer error=\"invalid_token\"");
        answer.problem(401, "unauthorized");
        let proof = prover.proof("GET", ROLES, Some(&token));
        ask(&app, "Bearer", &token, &[&proof]).await.problem(401, "unauthorized");
        unproven(ask(&app, "DPoP", &token, &[]).await, "no proof");
        ask(&app, "dpop", &token, &[&proof]).await.is(200);
        unproven(app.prover_by(alg).send(&admin, Method::GET, ROLES, &token).await, "another key");
    }
    // A token that anybody may use has no key to prove.
    let plain = admin.token.clone().unwrap();
    let prover = app.prover();
    prover.send(&admin, Method::GET, ROLES, &plain).await.problem(401, "unauthorized");
    let seen = admin.introspect(&plain).await.is(200).json;
    assert!(seen["token_type"] == "Bearer" && seen.get("cnf").is_none());
    let metadata = admin.get("/.well-known/openid-configuration").await.json;
    assert_eq!(metadata["dpop_signing_alg_values_supported"], json!(ALGORITHMS));
}

/// RFC 9449 §7.1: whoever sends nothing learns of both ways.
#[tokio::test(flavor = "multi_thread")]
async fn a_challenge_names_both_schemes() {
    let app = TestApp::spawn().await;
    for (actor, error) in [(app.anonymous(), ""), (app.bearer("garbage"), "error=\"invalid_token\"")] {
        for path in [ROLES, "/oauth/userinfo"] {
            let answer = actor.get(path).await.is(401);
            let all = answer.headers.get_all("www-authenticate").iter();
            let all: Vec<&str> = all.map(|value| value.to_str().unwrap()).collect();
            assert_eq!(all.len(), 2, "{all:?}");
            assert!(all[0].starts_with("Bearer") && all[1].starts_with("DPoP") && all[1].contains("algs=\"ES256 "));
            assert!(all.iter().all(|challenge| challenge.contains("error=") != error.is_empty()), "{all:?}");
        }
    }
}

/// Proofs that are none, whatever they are for: what is wrong, and the header that is sent.
fn not_proofs(prover: &Prover, claims: impl Fn() -> Value) -> Vec<(&'static str, String)> {
    let header = prover.header();
    let with = |name: &str, value: Value| {
        let mut header = header.clone();
        header[name] = value;
        prover.sign(&header, &claims())
    };
    let without = |name: &str| {
        let mut header = header.clone();
        header.as_object_mut().unwrap().remove(name);
        prover.sign(&header, &claims())
    };
    let key = |name: &str, value: Value| {
        let mut jwk = prover.jwk.clone();
        jwk[name] = value;
        with("jwk", jwk)
    };
    let good = prover.sign(&header, &claims());
    let (message, signature) = good.rsplit_once('.').unwrap();
    let mac = |header: &Value, secret: &[u8]| {
        let message = format!("{}.{}", encode(header), encode(&claims()));
        let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, secret);
        let tag = aws_lc_rs::hmac::sign(&key, message.as_bytes());
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(tag))
    };
    let mut hs256 = header.clone();
    hs256["alg"] = json!("HS256");
    let mut symmetric = hs256.clone();
    symmetric["jwk"] = json!({ "kty": "oct", "k": URL_SAFE_NO_PAD.encode("secret") });
    let mut cases = vec![
        ("signed by the public key as a secret", mac(&hs256, prover.jwk.to_string().as_bytes())),
        ("a symmetric key", mac(&symmetric, b"secret")),
        ("no signature", format!("{message}.")),
        ("another signature", format!("{message}.{}", signature.chars().rev().collect::<String>())),
        ("a padded signature", format!("{good}==")),
        ("one character more", format!("{good}A")),
        ("no typ", without("typ")),
        ("no alg", without("alg")),
        ("no key", without("jwk")),
        ("a null key", with("jwk", Value::Null)),
        ("a key in text", with("jwk", json!(prover.jwk.to_string()))),
        ("somebody else's key", with("jwk", prover_jwk_of_another())),
        ("a key for encryption", key("use", json!("enc"))),
        ("a key of another algorithm", key("alg", json!("ES384"))),
        ("a critical extension", with("crit", json!(["exp"]))),
        ("a link to a key", with("jku", json!("http://127.0.0.1:1/"))),
        ("a certificate", with("x5c", json!(["MIIB"]))),
        ("a link to a certificate", with("x5u", json!("http://127.0.0.1:1/"))),
        ("nothing", String::new()),
        ("dots", "..".to_owned()),
        ("garbage", "garbage".to_owned()),
        ("two proofs in one header", format!("{good}, {good}")),
        ("too long", format!("{}.{signature}", "x".repeat(9000))),
        ("claims that are none", prover.sign(&header, &json!([]))),
    ];
    cases.extend(["d", "p", "q", "dp", "dq", "qi", "oth", "k"].map(|name| ("a private key", key(name, json!("AQAB")))));
    cases.extend(["JWT", "at+jwt", "DPoP+JWT", "dpop", ""].map(|typ| ("another typ", with("typ", json!(typ)))));
    for alg in ["none", "None", "HS256", "RS256", "ES384", "ES512", "EdDSA", "es256", ""] {
        cases.push(("another algorithm", with("alg", json!(alg))));
    }
    let mut claim = |what, name: &str, value: Value| {
        let mut claims = claims();
        claims[name] = value;
        cases.push((what, prover.sign(&header, &claims)));
    };
    for name in ["jti", "htm", "htu", "iat"] {
        claim("a null claim", name, Value::Null);
    }
    let now = claims()["iat"].as_i64().unwrap();
    for iat in
        [json!(now - 61), json!(now + 120), json!(0), json!(-1), json!(i64::MIN), json!(now.to_string()), json!(1e300)]
    {
        claim("another time", "iat", iat);
    }
    for jti in [json!(""), json!("x".repeat(256)), json!(7)] {
        claim("another id", "jti", jti);
    }
    for htm in ["PUT", "post", "get", "", "*"] {
        claim("another method", "htm", json!(htm));
    }
    let path = claims()["htu"].as_str().unwrap().strip_prefix(ISSUER).unwrap().to_owned();
    for htu in [
        format!("https://evil.test{path}"),
        format!("http://deodar.test{path}"),
        format!("https://deodar.test:8443{path}"),
        format!("https://deodar.test@evil.test{path}"),
        format!("https://deodar.test.evil.test{path}"),
        format!("{ISSUER}{path}/"),
        format!("{ISSUER}{}", path.to_uppercase()),
        format!("{ISSUER}/oauth/revoke"),
        format!("{ISSUER}/"),
        path.clone(),
        "x".to_owned(),
        String::new(),
    ] {
        claim("another URL", "htu", json!(htu));
    }
    cases
}

fn prover_jwk_of_another() -> Value {
    json!({ "kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0" })
}

/// RFC 9449 §4.3; N-135, N-136, N-137, N-138, N-140, N-141, N-145.
#[tokio::test(flavor = "multi_thread")]
async fn no_token_is_issued_for_a_proof_that_is_none_n135_n136_n137_n138_n140_n141_n145() {
    let app = TestApp::spawn().await;
    let shop = app.client("shop", "orders", &[]).await;
    let prover = app.prover();
    for (what, proof) in not_proofs(&prover, || prover.claims("POST", TOKEN, None)) {
        let answer = shop.token_form_with(&GRANT, &[&proof]).await;
        assert_eq!((answer.status, &answer.json["error"]), (400, &json!("invalid_dpop_proof")), "{what}: {proof}");
        assert_eq!(answer.header("cache-control"), "no-store");
        assert!(answer.header("www-authenticate").is_empty());
    }
    let proof = || prover.proof("POST", TOKEN, None);
    shop.token_form_with(&GRANT, &[&proof(), &proof()]).await.oauth(400, "invalid_dpop_proof");
    let same = proof();
    shop.token_form_with(&GRANT, &[&same, &same]).await.oauth(400, "invalid_dpop_proof");
    // None of these used it up, nor does somebody who is not the client.
    let wrong = Actor { secret: Some("wrong".to_owned()), ..shop.clone() };
    wrong.token_form_with(&GRANT, &[&same]).await.oauth(401, "invalid_client");
    shop.token_form_with(&GRANT, &[&same]).await.is(200);
}

/// RFC 9449 §4.3, §7.1.
#[tokio::test(flavor = "multi_thread")]
async fn no_resource_is_served_for_a_proof_that_is_none() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let prover = app.prover();
    let token = prover.token_form(&admin, &GRANT).await.is(200).text_at("/access_token");
    let other = prover.token_form(&admin, &GRANT).await.is(200).text_at("/access_token");
    let claims = || prover.claims("GET", ROLES, Some(&token));
    let mut cases = not_proofs(&prover, claims);
    cases.push(("no hash of the token", prover.proof("GET", ROLES, None)));
    cases.push(("the hash of another token", prover.proof("GET", ROLES, Some(&other))));
    cases.push(("for another method", prover.proof("POST", ROLES, Some(&token))));
    cases.push(("for another path", prover.proof("GET", "/api/v1/admin/users", Some(&token))));
    let mut padded = claims();
    padded["ath"] = json!(format!("{}=", padded["ath"].as_str().unwrap()));
    cases.push(("a padded hash", prover.sign(&prover.header(), &padded)));
    for (what, proof) in cases {
        unproven(ask(&app, "DPoP", &token, &[&proof]).await, what);
    }
    let (one, two) = (prover.proof("GET", ROLES, Some(&token)), prover.proof("GET", ROLES, Some(&token)));
    unproven(ask(&app, "DPoP", &token, &[&one, &two]).await, "two proofs");
    ask(&app, "DPoP", &format!("{token}x"), &[&one]).await.problem(401, "unauthorized");
    ask(&app, "DPoP", &token, &[&one]).await.is(200);
    unproven(ask(&app, "DPoP", &token, &[&one]).await, "presented before");
    app.later(Duration::from_secs(1000));
    ask(&app, "DPoP", &token, &[&prover.proof("GET", ROLES, Some(&token))]).await.problem(401, "unauthorized");
}

/// RFC 9449 §4.3 (9): the URL counts, not its spelling; and never what `Host` says.
#[tokio::test(flavor = "multi_thread")]
async fn a_proof_is_for_the_url_of_the_issuer() {
    let app = TestApp::spawn().await;
    let shop = app.client("shop", "orders", &[]).await;
    let prover = app.prover();
    for htu in [
        "https://deodar.test/oauth/token?x=1#y",
        "HTTPS://DEODAR.test:443/oauth/%74oken",
        "https://deodar.test/a/../oauth/token",
    ] {
        let mut claims = prover.claims("POST", TOKEN, None);
        claims["htu"] = json!(htu);
        shop.token_form_with(&GRANT, &[&prover.sign(&prover.header(), &claims)]).await.is(200);
    }
    let mut claims = prover.claims("POST", TOKEN, None);
    claims["htu"] = json!("https://evil.test/oauth/token");
    let proof = prover.sign(&prover.header(), &claims);
    let (id, secret) = (shop.who().id.clone(), shop.secret.clone().unwrap());
    let form = [GRANT[0], ("client_id", &*id), ("client_secret", &*secret)];
    for header in ["host", "x-forwarded-host"] {
        let request = shop.http.post(format!("{}{TOKEN}", shop.base)).header(header, "evil.test").form(&form);
        let answer = Answer::read(request.header("dpop", &proof).send().await.unwrap()).await;
        answer.oauth(400, "invalid_dpop_proof");
    }
    // A minute is allowed for clocks that differ.
    for shift in [-59, 59] {
        let mut claims = prover.claims("POST", TOKEN, None);
        claims["iat"] = json!(claims["iat"].as_i64().unwrap() + shift);
        shop.token_form_with(&GRANT, &[&prover.sign(&prover.header(), &claims)]).await.is(200);
    }
}

/// RFC 9449 §11.1, N-102's sibling: one statement decides, whichever node is asked.
#[tokio::test(flavor = "multi_thread")]
async fn a_proof_works_once_on_all_nodes_together_n102() {
    let app = TestApp::spawn().await;
    let other = app.second_node().await;
    let admin = app.admin().await;
    let (here, there) = (admin.clone(), other.ask(&admin));
    let prover = app.prover();
    let proof = prover.proof("POST", TOKEN, None);
    let proofs = [proof.as_str()];
    let all = (0..16).map(|n| if n % 2 == 0 { &here } else { &there }.token_form_with(&GRANT, &proofs));
    let all = futures_util::future::join_all(all).await;
    let tokens: Vec<&Answer> = all.iter().filter(|answer| answer.status == 200).collect();
    assert_eq!(tokens.len(), 1);
    assert_eq!(all.iter().filter(|answer| answer.json["error"] == "invalid_dpop_proof").count(), 15);
    let token = tokens[0].text_at("/access_token");
    let proof = prover.proof("GET", ROLES, Some(&token));
    let all = (0..16).map(|n| {
        let actor = if n % 2 == 0 { &here } else { &there };
        let request = actor.http.get(format!("{}{ROLES}", actor.base)).header("dpop", &proof);
        request.header("authorization", format!("DPoP {token}")).send()
    });
    let all = futures_util::future::join_all(all).await;
    assert_eq!(all.iter().filter(|answer| answer.as_ref().unwrap().status() == 200).count(), 1);
    // To the last moment at which it would be believed.
    app.later(Duration::from_secs(59));
    shop_again(&here, &prover, &app).await;
}

/// Spent proofs are remembered for as long as they would be believed, and forgotten then.
async fn shop_again(shop: &Actor, prover: &Prover, app: &TestApp) {
    let mut claims = prover.claims("POST", TOKEN, None);
    claims["iat"] = json!(claims["iat"].as_i64().unwrap() + 60);
    let early = prover.sign(&prover.header(), &claims);
    shop.token_form_with(&GRANT, &[&early]).await.is(200);
    app.later(Duration::from_secs(119));
    let pool = &app.node().app.pool;
    deodar::store::used_ids::prune(pool, app.clock.now()).await.unwrap();
    shop.token_form_with(&GRANT, &[&early]).await.oauth(400, "invalid_dpop_proof");
    app.later(Duration::from_secs(62));
    deodar::store::used_ids::prune(pool, app.clock.now()).await.unwrap();
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM used_ids").fetch_one(pool).await.unwrap();
    assert_eq!(left, 0);
}

/// RFC 9449 §5.2.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_wants_bound_tokens_only_gets_no_others() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let body = json!({ "client_name": "bound", "scope": "orders", "grant_types": ["client_credentials"],
        "dpop_bound_access_tokens": true });
    let made = admin.create_client(body).await.is(201);
    let bound = Actor {
        who: Some(Who::client(&made.text_at("/client_id"))),
        secret: Some(made.text_at("/client_secret")),
        ..app.anonymous()
    };
    bound.client_credentials(None).await.oauth(400, "invalid_dpop_proof");
    assert_eq!(app.prover().token_form(&bound, &GRANT).await.is(200).json["token_type"], "DPoP");
}

/// The password grant binds what it issues, at its second step too; and every endpoint that takes tokens asks for the
/// key.
#[tokio::test(flavor = "multi_thread")]
async fn a_persons_token_is_bound_too() {
    let app = TestApp::spawn().await;
    app.admin().await;
    let ana = app.person("ana").await;
    let prover = app.prover();
    let form = [("grant_type", "password"), ("username", "ana"), ("password", PASSWORD)];
    let token = prover.token_form(&ana.shop, &form).await.is(200).text_at("/access_token");
    let anonymous = app.anonymous();
    for (method, path) in [
        (Method::GET, "/oauth/userinfo"),
        (Method::POST, "/oauth/userinfo"),
        (Method::GET, "/api/v1/me"),
        (Method::GET, "/api/v1/me/sessions"),
    ] {
        let seen = prover.send(&anonymous, method.clone(), path, &token).await.is(200);
        assert!(path.ends_with("sessions") || seen.text.contains(ana.id()), "{method} {path}: {}", seen.text);
        app.bearer(&token).send(method.clone(), path, None).await.is(401);
        let answer = app.prover().send(&anonymous, method, path, &token).await.is(401);
        assert!(answer.header("www-authenticate").contains("invalid_dpop_proof"));
    }
    let (authenticator, _) = ana.enable_totp(&app).await;
    app.next_step();
    let waiting = prover.token_form(&ana.shop, &form).await.oauth(400, "mfa_required").text_at("/mfa_token");
    let code = authenticator.code();
    let form = [("grant_type", "urn:deodar:grant-type:mfa-otp"), ("mfa_token", &*waiting), ("otp", &*code)];
    let token = prover.token_form(&ana.shop, &form).await.is(200).text_at("/access_token");
    assert_eq!(part(&token, 1)["cnf"]["jkt"], prover.jkt());
    prover.send(&anonymous, Method::GET, "/api/v1/me", &token).await.is(200);
}

/// An administrator's bound token registers clients.
#[tokio::test(flavor = "multi_thread")]
async fn a_bound_token_opens_registration_with_its_key_only() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let prover = app.prover();
    let token = prover.token_form(&admin, &GRANT).await.is(200).text_at("/access_token");
    let body = json!({ "client_name": "made", "redirect_uris": ["https://made.example/cb"] });
    let path = "/oauth/register";
    let request = prover.request(&admin, Method::POST, path, &token).json(&body);
    Answer::read(request.send().await.unwrap()).await.is(201);
    app.bearer(&token).post(path, &body).await.oauth(401, "invalid_token");
    let request = app.prover().request(&admin, Method::POST, path, &token).json(&body);
    Answer::read(request.send().await.unwrap()).await.oauth(401, "invalid_dpop_proof");
}

/// `/authz/check` answers about a token that the caller was shown, bound or not: the caller looked at the proof.
#[tokio::test(flavor = "multi_thread")]
async fn a_check_about_a_bound_token_needs_no_proof() {
    let app = TestApp::spawn().await;
    let shop = app.client("shop", "orders", &[]).await;
    let asker = app.client("asker", "authz:check", &[]).await;
    let token = app.prover().token_form(&shop, &GRANT).await.is(200).text_at("/access_token");
    let ask = json!({ "token": token, "action": "read", "resource": { "type": "Document", "id": "1" } });
    asker.check(ask).await.denies();
}
