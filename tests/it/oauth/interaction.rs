//! What a person is asked before a client gets its answer (security §1.2).

use std::time::Duration;

use serde_json::json;

use super::flow::claims;
use crate::{
    app::TestApp,
    browser::Browser,
    person::{Authenticator, PASSWORD},
};

#[tokio::test(flavor = "multi_thread")]
async fn without_asking_there_is_an_answer_or_an_error_n036_n037_n038_n048() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let shop = app.web_client(&admin, json!({})).await;
    let ana = app.person("ana").await;
    let mut stranger = Browser::new(&app.node().base);
    let answer = stranger.get(&shop.path(&[("prompt", "none")])).await.is(303);
    assert!(answer.header("set-cookie").is_empty(), "nothing begins");
    answer.header("location").clone_into(&mut stranger.at);
    shop.returned(&stranger).error("login_required");

    let mut browser = app.browser_of(&ana).await;
    browser.open(&shop.path(&[("prompt", "none")])).await;
    shop.returned(&browser).error("consent_required");
    let first = shop.redeem(&shop.code(&mut browser, &[]).await).await.is(200);
    app.later(Duration::from_secs(10));
    browser.open(&shop.path(&[("prompt", "none")])).await;
    let again = shop.redeem(&shop.returned(&browser).code()).await.is(200);
    let (first, again) = (claims(&first.text_at("/id_token")), claims(&again.text_at("/id_token")));
    assert_eq!((&first["sub"], &first["auth_time"]), (&again["sub"], &again["auth_time"]));
    assert_ne!(first["iat"], again["iat"]);
    browser.open(&shop.path(&[("prompt", "none"), ("max_age", "5")])).await;
    shop.returned(&browser).error("login_required");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_proves_once_more_who_they_are_where_it_is_asked_n041_n043_n044_n045_n046() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let shop = app.web_client(&admin, json!({})).await;
    let ana = app.person("ana").await;
    let mut browser = app.browser_of(&ana).await;
    let first = claims(&shop.redeem(&shop.code(&mut browser, &[]).await).await.is(200).text_at("/id_token"));
    let mut last = first["auth_time"].as_i64().unwrap();
    for more in [("prompt", "login"), ("prompt", "select_account"), ("max_age", "1"), ("max_age", "0")] {
        app.later(Duration::from_secs(3));
        browser.open(&shop.path(&[more])).await;
        browser.is_at("/login");
        let cookie = browser.cookies["__Host-deodar"].clone();
        browser.submit("/login", &[("password", PASSWORD)]).await;
        assert_ne!(browser.cookies["__Host-deodar"], cookie, "N-169");
        let token = claims(&shop.redeem(&shop.returned(&browser).code()).await.is(200).text_at("/id_token"));
        assert!(token["auth_time"].as_i64().unwrap() > last, "{more:?}");
        last = token["auth_time"].as_i64().unwrap();
    }
    app.later(Duration::from_secs(3));
    let token = shop.redeem(&shop.code(&mut browser, &[("max_age", "10000")]).await).await.is(200);
    assert_eq!(claims(&token.text_at("/id_token"))["auth_time"], last);
}

/// Somebody else takes the place of whoever was there.
#[tokio::test(flavor = "multi_thread")]
async fn another_person_who_logs_in_is_not_mixed_with_the_first_n041_v026() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let shop = app.web_client(&admin, json!({})).await;
    let ana = app.person("ana").await;
    let ben = app.person_of("ben", &ana.shop).await;
    let mut browser = app.browser_of(&ana).await;
    let of_ana = shop.redeem(&shop.code(&mut browser, &[]).await).await.is(200);
    browser.open(&shop.path(&[("prompt", "login")])).await;
    let another = browser.at.replace("again=1", "another=1");
    browser.open(&another).await;
    browser.submit("/login", &[("login", "ben"), ("password", PASSWORD)]).await;
    browser.is_at("/consent");
    browser.says("ben");
    browser.submit("/consent", &[("decision", "allow")]).await;
    let of_ben = shop.redeem(&shop.returned(&browser).code()).await.is(200);
    assert_eq!(claims(&of_ben.text_at("/id_token"))["sub"], ben.id());
    assert!(!shop.is_active(&of_ana.text_at("/access_token")).await, "the first session has ended");
    assert!(shop.is_active(&of_ben.text_at("/access_token")).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hint_means_this_person_and_nobody_else_n049_n050_n051() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let shop = app.web_client(&admin, json!({})).await;
    let ana = app.person("ana").await;
    let ben = app.person_of("ben", &ana.shop).await;
    let mut browser = app.browser_of(&ana).await;
    let hint = shop.redeem(&shop.code(&mut browser, &[]).await).await.is(200).text_at("/id_token");
    app.later(Duration::from_hours(3));
    shop.code(&mut browser, &[("id_token_hint", &hint), ("prompt", "none")]).await;
    // In the middle of the signature: the last character has bits that count for nothing.
    let (start, end) = hint.split_at(hint.len() - 100);
    let other = if end.starts_with('A') { 'B' } else { 'A' };
    let tampered = format!("{start}{other}{}", &end[1..]);
    for wrong in [tampered.as_str(), &ana.me.token.clone().unwrap()] {
        browser.open(&shop.path(&[("id_token_hint", wrong)])).await;
        shop.returned(&browser).error("invalid_request");
    }
    let mut other = app.browser_of(&ben).await;
    shop.code(&mut other, &[]).await;
    other.open(&shop.path(&[("id_token_hint", &hint), ("prompt", "none")])).await;
    shop.returned(&other).error("login_required");
    other.open(&shop.path(&[("id_token_hint", &hint)])).await;
    other.is_at("/login");
    // Whoever insists on being somebody else ends it.
    other.submit("/login", &[("login", "ben"), ("password", PASSWORD)]).await;
    shop.returned(&other).error("login_required");
    other.open(&shop.path(&[("id_token_hint", &hint)])).await;
    other.submit("/login", &[("login", "ana"), ("password", PASSWORD)]).await;
    let token = shop.redeem(&shop.returned(&other).code()).await.is(200);
    assert_eq!(claims(&token.text_at("/id_token"))["sub"], ana.id());
}

/// A hint fills the form in, and tells nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_login_hint_is_text_in_a_form_n054() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let shop = app.web_client(&admin, json!({})).await;
    let mut browser = Browser::new(&app.node().base);
    browser.open(&shop.path(&[("login_hint", "victim@x\"><script>")])).await;
    browser.is_at("/login");
    assert!(browser.page.text.contains("victim@x&#34;&#62;&#60;script&#62;"), "{}", browser.page.text);
}

/// Consent is remembered, asked again where it is wanted, and refused.
#[tokio::test(flavor = "multi_thread")]
async fn a_person_agrees_once_and_is_asked_again_for_more_n034_n042_n074() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let shop = app.web_client(&admin, json!({})).await;
    let mut browser = app.browser_of(&app.person("ana").await).await;
    browser.open(&shop.path(&[])).await;
    browser.is_at("/consent");
    browser.submit("/consent", &[("decision", "deny")]).await;
    shop.returned(&browser).error("access_denied");
    shop.code(&mut browser, &[("scope", "openid email")]).await;
    for (more, asked) in [
        (vec![("scope", "openid")], false),
        (vec![("scope", "openid email")], false),
        (vec![("scope", "openid email photos")], true),
        (vec![("scope", "openid"), ("claims", "{\"userinfo\":{\"name\":null}}")], true),
        (vec![("scope", "openid"), ("prompt", "consent")], true),
        (vec![("scope", "openid"), ("resource", "https://api.test/")], false),
    ] {
        browser.open(&shop.path(&more)).await;
        assert_eq!(browser.at.starts_with("/consent"), asked, "{more:?} {}", browser.at);
    }
    let more = json!({ "first_party": true });
    let house = app.web_client(&admin, more).await;
    browser.open(&house.path(&[("prompt", "none")])).await;
    house.returned(&browser).code();
}

/// A public client is asked about each time; a form from elsewhere or from another session is none; an answer counts
/// once.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_agrees_in_anothers_name_v074_v026() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let pocket = app.public_client(&admin).await;
    let ana = app.person("ana").await;
    let ben = app.person_of("ben", &ana.shop).await;
    let mut browser = app.browser_of(&ana).await;
    pocket.code(&mut browser, &[]).await;
    browser.open(&pocket.path(&[])).await;
    browser.is_at("/consent");
    let form = browser.filled("/consent", &[("decision", "allow")]);
    let request = form.iter().find(|(name, _)| name == "request").unwrap().1.clone();
    let bare = [("request".to_owned(), request), ("decision".to_owned(), "allow".to_owned())];
    browser.post("/consent", &bare).await.is(403);
    let cross = browser.request("/consent").form(&form).header("sec-fetch-site", "cross-site");
    browser.send(cross).await.is(403);
    let mut other = app.browser_of(&ben).await;
    other.post("/consent", &form).await.is(403);

    let answers = [browser.post("/consent", &form).await, browser.post("/consent", &form).await];
    assert_eq!(answers.iter().filter(|answer| answer.status == 303).count(), 1);
    let next = answers[0].header("location").to_owned();
    // Somebody else who goes on with it is asked themselves.
    other.open(&next).await;
    other.is_at("/consent");
    browser.open(&next).await;
    pocket.redeem(&pocket.returned(&browser).code()).await.is(200);
    stale(&mut browser, &next).await;
    other.submit("/consent", &[("decision", "allow")]).await;
    assert_eq!(other.page.status, 400);
}

async fn stale(browser: &mut Browser, path: &str) {
    let answer = browser.get(path).await;
    assert_eq!((answer.status, answer.header("location")), (400, ""), "{}", answer.text);
}

/// Contract §3: `acr_values` is a wish, `claims` can insist; and the policies can.
#[tokio::test(flavor = "multi_thread")]
async fn a_second_factor_is_asked_for_where_it_is_wanted() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let shop = app.web_client(&admin, json!({})).await;
    let ana = app.person("ana").await;
    let mut browser = app.browser_of(&ana).await;
    let mfa = ("acr_values", "urn:deodar:acr:mfa");
    let essential = r#"{"id_token":{"acr":{"essential":true,"value":"urn:deodar:acr:mfa"}}}"#;
    let token = claims(&shop.redeem(&shop.code(&mut browser, &[mfa]).await).await.is(200).text_at("/id_token"));
    assert_eq!((&token["acr"], &token["amr"]), (&json!("urn:deodar:acr:password"), &json!(["pwd"])));
    browser.open(&shop.path(&[("claims", essential)])).await;
    shop.returned(&browser).error("unmet_authentication_requirements");

    let (authenticator, _) = ana.enable_totp(&app).await;
    browser.open(&shop.path(&[])).await;
    shop.returned(&browser).code();
    browser.open(&shop.path(&[("claims", essential), ("prompt", "none")])).await;
    shop.returned(&browser).error("interaction_required");
    browser.open(&shop.path(&[mfa, ("prompt", "none")])).await;
    let token = claims(&shop.redeem(&shop.returned(&browser).code()).await.is(200).text_at("/id_token"));
    assert_eq!(token["acr"], "urn:deodar:acr:password", "a wish is no reason to refuse");
    for more in [mfa, ("claims", essential)] {
        let token = step_up(&app, &shop, &mut app.browser_of_mfa(&ana, &authenticator).await, more).await;
        assert_eq!((&token["acr"], &token["amr"]), (&json!("urn:deodar:acr:mfa"), &json!(["pwd", "otp", "mfa"])));
    }
    app.next_step();
    browser.open(&shop.path(&[mfa])).await;
    browser.is_at("/login/mfa");
    browser.submit("/login/mfa", &[("code", &authenticator.code())]).await;
    let token = claims(&shop.redeem(&shop.returned(&browser).code()).await.is(200).text_at("/id_token"));
    assert_eq!(token["acr"], "urn:deodar:acr:mfa");
}

async fn step_up(
    _: &TestApp,
    shop: &super::flow::OAuthClient,
    browser: &mut Browser,
    more: (&str, &str),
) -> serde_json::Value {
    claims(&shop.redeem(&shop.code(browser, &[more]).await).await.is(200).text_at("/id_token"))
}

impl TestApp {
    /// A browser in which somebody with an authenticator is logged in.
    async fn browser_of_mfa(&self, person: &crate::person::Person, authenticator: &Authenticator) -> Browser {
        self.next_step();
        let mut browser = Browser::new(&self.node().base);
        browser.open("/login").await;
        browser.submit("/login", &[("login", &person.name), ("password", PASSWORD)]).await;
        browser.is_at("/login/mfa");
        browser.submit("/login/mfa", &[("code", &authenticator.code())]).await;
        browser.is_at("/account");
        browser
    }
}

/// `policies/signin.cedar` and `policies/tokens.cedar` decide, at the first token and at every refresh.
#[tokio::test(flavor = "multi_thread")]
async fn policies_decide_who_gets_which_token() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let shop = app.web_client(&admin, json!({})).await;
    let ana = app.person("ana").await;
    let mut browser = app.browser_of(&ana).await;
    let tokens = shop.offline_tokens(&mut browser).await;
    let policy = r#"
        @id("photos-after-mfa")
        forbid (principal is User, action == Deodar::Action::"issueToken", resource)
        when { context.scopes.contains("photos") }
        unless { context has session && context.session.mfa };
        @id("not-here")
        forbid (principal is User, action == Deodar::Action::"signIn", resource is Client)
        when { context has session && context.session.scopes.contains("profile") };"#;
    let (_, mut files) = admin.active_bundle().await;
    files.insert("policies/extra.cedar".to_owned(), policy.to_owned());
    let number = admin.create_bundle(&files).await.is(201).json["number"].as_i64().unwrap();
    admin.activate(number).await.is(204);

    let refresh = tokens.text_at("/refresh_token");
    shop.refresh(&refresh, &[]).await.oauth(400, "invalid_grant");
    shop.refresh(&refresh, &[("scope", "openid")]).await.is(200);
    browser.open(&shop.path(&[("scope", "openid profile")])).await;
    shop.returned(&browser).error("access_denied");
    browser.open(&shop.path(&[("scope", "openid photos"), ("prompt", "none")])).await;
    shop.returned(&browser).error("interaction_required");
    browser.open(&shop.path(&[("scope", "openid photos")])).await;
    // Whoever has no second factor sets one up, and goes on from there.
    browser.is_at("/account/mfa");
    browser.submit("/account/mfa/app", &[]).await;
    let authenticator = crate::pages::second_factor::Authenticator::scan(&browser);
    browser.submit("/account/mfa/confirm", &[("code", "000000")]).await;
    browser.submit("/account/mfa/confirm", &[("code", &authenticator.code(&app))]).await;
    browser.says("Your backup codes");
    let on = browser.page.text.split("class=\"button\" href=\"").nth(1).unwrap().split('"').next().unwrap();
    let on = crate::browser::unescaped(on);
    browser.open(&on).await;
    let code = shop.returned(&browser).code();
    let token = claims(&shop.redeem(&code).await.is(200).text_at("/id_token"));
    assert_eq!(token["acr"], "urn:deodar:acr:mfa");
}

/// A form on the client's own page comes without our cookies. What it asks for holds as it does for a link, and a
/// session that did not come along is not taken for a new one.
#[tokio::test(flavor = "multi_thread")]
async fn a_form_from_elsewhere_is_answered_as_a_link_is_n002_n038_n041_v026() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let shop = app.web_client(&admin, json!({})).await;
    let ana = app.person("ana").await;
    let mut browser = app.browser_of(&ana).await;
    let first = claims(&shop.redeem(&shop.code(&mut browser, &[]).await).await.is(200).text_at("/id_token"));
    app.later(Duration::from_secs(60));
    for none in [&[("prompt", "none")][..], &[]] {
        from_elsewhere(&mut browser, &shop, none).await;
        shop.returned(&browser).code();
    }
    for again in [("prompt", "login"), ("prompt", "select_account"), ("max_age", "0"), ("max_age", "30")] {
        from_elsewhere(&mut browser, &shop, &[again]).await;
        browser.is_at("/login");
        browser.says("ana");
        browser.submit("/login", &[("password", PASSWORD)]).await;
        let token = claims(&shop.redeem(&shop.returned(&browser).code()).await.is(200).text_at("/id_token"));
        assert!(token["auth_time"].as_i64() > first["auth_time"].as_i64(), "{again:?}");
        app.later(Duration::from_secs(60));
    }
    // Whoever held the request elsewhere, this browser has to prove it.
    let mut stranger = Browser::new(&app.node().base);
    stranger.open(&shop.path(&[("prompt", "login")])).await;
    stranger.is_at("/login");
    browser.open(&stranger.at).await;
    browser.is_at("/login");
    browser.says("ana");
    // Nobody is signed in: a form leads to the login as a link does.
    let mut stranger = Browser::new(&app.node().base);
    from_elsewhere(&mut stranger, &shop, &[]).await;
    stranger.is_at("/login");
    stranger.submit("/login", &[("login", &ana.name), ("password", PASSWORD)]).await;
    shop.returned(&stranger).code();
    let mut stranger = Browser::new(&app.node().base);
    from_elsewhere(&mut stranger, &shop, &[("prompt", "none")]).await;
    shop.returned(&stranger).error("login_required");
    // Nothing of this leads anywhere before the client is known.
    let form = shop.parameters(&[("redirect_uri", "https://evil.test/cb")]);
    let request = browser.request("/oauth/authorize").header("origin", "https://meadow.test").form(&form);
    assert_eq!(request.send().await.unwrap().status(), 400);
}

/// A form of a page of the client: the browser keeps our cookies back, and follows with them.
async fn from_elsewhere(browser: &mut Browser, shop: &super::flow::OAuthClient, more: &[(&str, &str)]) {
    let form = shop.parameters(more);
    let request = browser.request("/oauth/authorize").header("origin", "https://meadow.test").form(&form);
    let cookies = std::mem::take(&mut browser.cookies);
    let answer = browser.send(request).await.is(303);
    browser.cookies.extend(cookies);
    let to = answer.header("location").to_owned();
    if to.starts_with('/') {
        browser.open(&to).await;
    } else {
        browser.at = to;
    }
}

/// What a client did not register it does not get by asking for it claim by claim.
#[tokio::test(flavor = "multi_thread")]
async fn claims_are_no_way_around_what_a_client_registered_n059_n125() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let mut browser = app.browser_of(&app.person("ana").await).await;
    let wanted = r#"{"userinfo":{"email":null,"name":null},"id_token":{"email":null,"preferred_username":null}}"#;
    for (scope, expected) in [("openid", json!(null)), ("openid email", json!("ana@example.com"))] {
        let shop = app.web_client(&admin, json!({ "scope": scope })).await;
        browser.open(&shop.path(&[("claims", wanted)])).await;
        assert_eq!(browser.is_at("/consent").text.contains("e-mail"), expected != json!(null), "{scope}");
        browser.submit("/consent", &[("decision", "allow")]).await;
        let tokens = shop.redeem(&shop.returned(&browser).code()).await.is(200);
        let id_token = claims(&tokens.text_at("/id_token"));
        let userinfo = app.bearer(&tokens.text_at("/access_token")).get("/oauth/userinfo").await.is(200).json;
        for of in [&id_token, &userinfo] {
            assert_eq!(of["email"], expected, "{scope}");
            assert!(of.get("preferred_username").is_none() && of.get("name").is_none(), "{scope}: {of}");
        }
    }
}

/// Nor does it keep what is taken from it: neither claims that people agreed to, nor tokens while they are away.
#[tokio::test(flavor = "multi_thread")]
async fn a_scope_that_a_client_loses_ends_what_followed_from_it_n125() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let mut browser = app.browser_of(&app.person("ana").await).await;
    let shop = app.web_client(&admin, json!({ "scope": "openid email offline_access" })).await;
    let wanted = r#"{"userinfo":{"email":null},"id_token":{"email":null}}"#;
    let asked = [("claims", wanted), ("scope", "openid offline_access"), ("prompt", "consent")];
    let mut tokens = shop.redeem(&shop.code(&mut browser, &asked).await).await.is(200);
    let ana = json!("ana@example.com");
    for (scope, expected) in [("openid email offline_access", &ana), ("openid offline_access", &json!(null))] {
        admin.update_client(&shop.id, json!({ "scope": scope })).await.is(200);
        tokens = shop.refresh(&tokens.text_at("/refresh_token"), &[]).await.is(200);
        assert_eq!(claims(&tokens.text_at("/id_token"))["email"], *expected, "{scope}");
        let userinfo = app.bearer(&tokens.text_at("/access_token")).get("/oauth/userinfo").await.is(200).json;
        assert_eq!(userinfo["email"], *expected, "{scope}");
    }
    admin.update_client(&shop.id, json!({ "scope": "openid" })).await.is(200);
    shop.refresh(&tokens.text_at("/refresh_token"), &[]).await.oauth(400, "invalid_grant");
}

/// RFC 6749 §4.1.1: a request without a scope is allowed as often as it comes.
#[tokio::test(flavor = "multi_thread")]
async fn a_person_agrees_to_nothing_in_particular_twice() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let pocket = app.public_client(&admin).await;
    let mut browser = app.browser_of(&app.person("ana").await).await;
    for scope in ["", "address", ""] {
        browser.open(&pocket.path(&[("scope", scope)])).await;
        browser.is_at("/consent");
        browser.submit("/consent", &[("decision", "allow")]).await;
        let tokens = pocket.redeem(&pocket.returned(&browser).code()).await.is(200);
        assert_eq!(tokens.json["scope"], "");
    }
}
