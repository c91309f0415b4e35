//! Whether the policies let a client have a token: `policies/signin.cedar` and `policies/tokens.cedar`, asked at every
//! issue and at every refresh.
//!
//! A client that asks for itself asks the same again and again. It is told what the policies said when everything that
//! they look at is still the very same.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Registered;
use crate::{
    model::{Client, EntityRef, Json, Login, Principal, ScopeSet},
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

/// What a client was granted for itself, and on what.
#[derive(Default)]
pub(super) struct Granted(Mutex<Vec<(Asked, Basis)>>);

/// Everything that a client asks for itself.
#[derive(PartialEq, Eq)]
struct Asked {
    grant_type: String,
    scope: ScopeSet,
    resources: Vec<String>,
}

/// A client asks for few different things; one that asks for more begins anew.
const MOST: usize = 16;

impl Asked {
    fn new(wish: &Wish<'_>) -> Self {
        Self { grant_type: wish.grant_type.to_owned(), scope: wish.scope.clone(), resources: wish.resources.to_vec() }
    }

    fn is(&self, wish: &Wish<'_>) -> bool {
        self.grant_type == wish.grant_type && self.scope == *wish.scope && self.resources == wish.resources
    }
}

impl Granted {
    fn kept(&self) -> MutexGuard<'_, Vec<(Asked, Basis)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Registered {
    /// Whether this client may have what it wants for itself.
    ///
    /// # Errors
    /// There is no decision.
    pub async fn may_have(
        &self,
        pdp: &Pdp,
        grant_type: &str,
        scope: &ScopeSet,
        resources: &[String],
    ) -> Result<Permit, pdp::Error> {
        pdp.ensure(None).await?;
        let wish = Wish { client: &self.client, login: None, grant_type, scope, resources };
        let known = |(asked, basis): &(Asked, Basis)| asked.is(&wish) && pdp.rests_on(basis, &self.as_of);
        if self.granted.kept().iter().any(known) {
            return Ok(Permit::Granted);
        }
        // Taken before the policies are asked: what they say may rest on something newer, and then it is asked again.
        let basis = pdp.basis(&self.as_of);
        let permit = Box::pin(wish.ask(pdp)).await?;
        if let (Permit::Granted, Some(basis)) = (permit, basis) {
            let mut kept = self.granted.kept();
            kept.retain(|(asked, _)| !asked.is(&wish));
            if kept.len() == MOST {
                kept.clear();
            }
            kept.push((Asked::new(&wish), basis));
        }
        Ok(permit)
    }
}

impl Wish<'_> {
    /// Asks the policies.
    ///
    /// # Errors
    /// There is no decision.
    pub async fn ask(&self, pdp: &Pdp) -> Result<Permit, pdp::Error> {
        let issue = self.request("Deodar::issueToken", self.context());
        let requests = match self.login {
            Some(_) => vec![self.request("Deodar::signIn", vec![("held".to_owned(), Json::Bool(true))]), issue],
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
