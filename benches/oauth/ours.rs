//! Our own client, and people who let it act for them.

use std::net::SocketAddr;

use deodar::{
    app::App,
    crypto::Opaque,
    model::{
        Algorithm, Authorization, AuthorizationId, Client as Registered, ClientId, ClientMetadata, CodeGrant,
        GrantType, Login, Principal, RequestedClaims, SessionId, UserId, amr,
    },
    store::{self, clients::Known, users::NewUser},
};
use serde_json::Value;
use time::Duration;
use tokio::runtime::Runtime;

const REDIRECT_URI: &str = "https://client.example/callback";
const SCOPE: &str = "openid profile email offline_access";

/// It may use every grant that is measured, and its ID tokens are signed as those of the peer.
pub struct Client {
    /// Its id.
    pub id: ClientId,
    /// Its secret.
    pub secret: Opaque,
}

impl Client {
    /// Registers one.
    pub fn register(runtime: &Runtime, app: &App) -> Self {
        let secret = Opaque::new(Opaque::CLIENT_SECRET).unwrap();
        let metadata = ClientMetadata {
            grant_types: vec![GrantType::ClientCredentials, GrantType::AuthorizationCode, GrantType::RefreshToken],
            redirect_uris: vec![REDIRECT_URI.to_owned()],
            scope: format!("{SCOPE} orders").parse().unwrap(),
            id_token_signed_response_alg: Some(Algorithm::Es256),
            require_pkce: Some(false),
            ..ClientMetadata::default()
        };
        let client = Registered::new(ClientId::new(), metadata.completed(), app.clock.now());
        let id = client.id.clone();
        let known = Known { client, secret: Some(secret.hash()), registration: None };
        runtime.block_on(async {
            let mut write = app.pdp.write().await.unwrap();
            store::clients::insert(write.conn(), &known).await.unwrap();
            write.changed(store::revision::Change::Principal(Principal::Client(id.clone())));
            write.commit().await.unwrap();
        });
        Self { id, secret }
    }

    /// Refresh tokens, each of a person and an authorization of its own.
    pub fn families(&self, runtime: &Runtime, app: &App, server: SocketAddr, count: usize) -> Vec<String> {
        runtime.block_on(async {
            let mut tokens = Vec::new();
            for _ in 0..count {
                tokens.push(self.redeem(server, &self.code(app).await).await);
            }
            tokens
        })
    }

    /// A code, as the authorization endpoint leaves it in the database.
    async fn code(&self, app: &App) -> Opaque {
        let (now, user, session) = (app.clock.now(), UserId::new(), SessionId::new());
        let username = format!("u{}", user.to_string().replace('-', "")).parse().unwrap();
        let person = NewUser {
            id: user,
            username: &username,
            email: None,
            email_verified: false,
            display_name: None,
            password_hash: None,
            at: now,
        };
        store::users::insert(&app.pool, &person).await.unwrap();
        let opened = sqlx::query(
            "INSERT INTO sessions (id, user_id, auth_time, amr, address, user_agent, created_at, last_used_at,
                                   idle_expires_at, expires_at)
             VALUES ($1, $2, now(), '{pwd}', '', '', now(), now(), now() + '1 day', now() + '1 day')",
        );
        opened.bind(session.0).bind(user.0).execute(&app.pool).await.unwrap();
        let login = Login { user, session, auth_time: now, amr: vec![amr::PASSWORD.to_owned()] };
        let authorization = Authorization {
            id: AuthorizationId::new(),
            client: self.id.clone(),
            generation: 0,
            login,
            scope: SCOPE.parse().unwrap(),
            resources: Vec::new(),
            claims: RequestedClaims::default(),
            jkt: None,
            created_at: now,
            expires_at: now + Duration::DAY,
        };
        let grant = CodeGrant {
            authorization,
            redirect_uri: REDIRECT_URI.to_owned(),
            nonce: Some("n".to_owned()),
            challenge: None,
        };
        let code = Opaque::new(Opaque::CODE).unwrap();
        store::codes::insert(&app.pool, &code.hash(), &grant, now + Duration::MINUTE).await.unwrap();
        code
    }

    async fn redeem(&self, server: SocketAddr, code: &Opaque) -> String {
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code.expose()),
            ("redirect_uri", REDIRECT_URI),
            ("client_id", self.id.as_str()),
            ("client_secret", self.secret.expose()),
        ];
        let request = reqwest::Client::new().post(format!("http://{server}/oauth/token")).form(&form);
        let answer: Value = request.send().await.unwrap().json().await.unwrap();
        answer["refresh_token"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
    }
}
