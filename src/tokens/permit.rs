//! Whether the policies let a client have a token: `policies/signin.cedar` and `policies/tokens.cedar`, asked at every
//! issue and at every refresh.
//!
//! A client that asks for itself asks the same again and again. It is told what the policies said when everything that
//! they look at is still the very same.

use std::sync::Arc;

use crate::{
    model::{Client, ClientId, EntityRef, Json, Login, Principal, ScopeSet},
    pdp::{self, AccessRequest, Basis, Pdp, ResourceInput, Session, Subject},
};

/// What a client wants to have.
#[derive(Clone, Copy, Debug)]
pub struct Wish<'a> {
    /// Who.
    pub client: &'a Client,
    /// On whose behalf; `None` for the client itself.
    pub login: Option<&'a Login>,
    /// By which grant.
    pub grant_type: &'a str,
    /// What for.
    pub scope: &'a ScopeSet,
    /// For which resource servers.
    pub resources: &'a [String],
}

/// What the policies say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permit {
    /// It may.
    Granted,
    /// It may once the person has given a second factor.
    AfterMfa,
    /// It may not.
    Refused,
}

/// See the module.
pub struct Permits {
    pdp: Arc<Pdp>,
    /// On what each of these was granted.
    granted: moka::sync::Cache<Granted, Basis>,
}

/// Everything that a client asks for itself.
#[derive(Hash)]
struct Asked<'a> {
    client: &'a ClientId,
    grant_type: &'a str,
    scope: &'a ScopeSet,
    resources: &'a [String],
}

/// The same, to be kept. Hashed alike, field by field.
#[derive(PartialEq, Eq, Hash)]
struct Granted {
    client: ClientId,
    grant_type: String,
    scope: ScopeSet,
    resources: Vec<String>,
}

impl Asked<'_> {
    fn granted(&self) -> Granted {
        Granted {
            client: self.client.clone(),
            grant_type: self.grant_type.to_owned(),
            scope: self.scope.clone(),
            resources: self.resources.to_vec(),
        }
    }
}

impl moka::Equivalent<Granted> for Asked<'_> {
    fn equivalent(&self, granted: &Granted) -> bool {
        let Granted { client, grant_type, scope, resources } = granted;
        self.client == client
            && self.grant_type == grant_type
            && self.scope == scope
            && self.resources == resources.as_slice()
    }
}

impl Permits {
    /// Remembers at most `most` answers.
    pub fn new(pdp: Arc<Pdp>, most: u64) -> Self {
        Self { pdp, granted: moka::sync::Cache::new(most) }
    }

    /// Whether a client may have what it wants.
    ///
    /// # Errors
    /// There is no decision.
    pub async fn ask(&self, wish: &Wish<'_>) -> Result<Permit, pdp::Error> {
        if wish.login.is_some() {
            return judge(&self.pdp, wish).await;
        }
        let Wish { client, grant_type, scope, resources, .. } = *wish;
        let asked = Asked { client: &client.id, grant_type, scope, resources };
        // Taken before the policies are asked: what they say may rest on something newer, and then it is asked again.
        let basis = self.pdp.basis(&Principal::Client(client.id.clone())).await?;
        if basis.is_some() && self.granted.get(&asked) == basis {
            return Ok(Permit::Granted);
        }
        let permit = judge(&self.pdp, wish).await?;
        if let (Permit::Granted, Some(basis)) = (permit, basis) {
            self.granted.insert(asked.granted(), basis);
        }
        Ok(permit)
    }
}

/// Asks the policies.
async fn judge(pdp: &Pdp, wish: &Wish<'_>) -> Result<Permit, pdp::Error> {
    let issue = wish.request("Deodar::issueToken", wish.context());
    let requests = match wish.login {
        Some(_) => vec![wish.request("Deodar::signIn", vec![("held".to_owned(), Json::Bool(true))]), issue],
        None => vec![issue],
    };
    let mut permit = Permit::Granted;
    for answer in pdp.check_all(&requests, None, false).await?.answers {
        let answer = answer?;
        match (answer.allow, answer.step_up) {
            (true, _) => {}
            (false, true) => permit = Permit::AfterMfa,
            (false, false) => return Ok(Permit::Refused),
        }
    }
    Ok(permit)
}

impl Wish<'_> {
    fn request(&self, action: &str, context: Vec<(String, Json)>) -> AccessRequest {
        let client = EntityRef::new("Client", self.client.id.as_str());
        let principal = self.login.map_or_else(|| client.clone(), |login| Principal::User(login.user).entity());
        AccessRequest {
            principal: Subject::plain(principal),
            action: action.to_owned(),
            resource: ResourceInput::plain(client),
            context,
            session: self.login.map(|login| self.session(login)),
        }
    }

    fn context(&self) -> Vec<(String, Json)> {
        let text = |text: &str| Json::String(text.to_owned());
        vec![
            ("grant_type".to_owned(), text(self.grant_type)),
            ("scopes".to_owned(), Json::Array(self.scope.iter().map(text).collect())),
            ("resources".to_owned(), Json::Array(self.resources.iter().map(|resource| text(resource)).collect())),
        ]
    }

    fn session(&self, login: &Login) -> Session {
        Session {
            mfa: login.mfa(),
            acr: login.acr().to_owned(),
            amr: login.amr.clone(),
            auth_time: login.auth_time.unix_timestamp(),
            client: self.client.id.clone(),
            scopes: self.scope.clone(),
        }
    }
}
