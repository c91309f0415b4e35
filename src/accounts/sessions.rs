//! Sessions: opened by proving who one is, rotated at every change of strength, ended with everything they stand for.

use time::{Duration, OffsetDateTime};

use super::{Accounts, Error};
use crate::{
    crypto::{Opaque, digest},
    mail::Message,
    model::{Event, Origin, Principal, Revision, SessionId, SessionRecord, UserId, amr},
    pdp::Write,
    store::{
        self, Conn,
        authorizations::Which,
        sessions::{Allowed, Judged},
    },
};

/// A session that was just opened or made stronger.
pub struct NewSession {
    /// The session.
    pub session: SessionRecord,
    /// The value of the cookie; none for a session that no browser holds.
    pub token: Option<Opaque>,
    /// What a browser keeps to be recognised again, if it has nothing yet.
    pub device: Option<Opaque>,
}

impl Accounts {
    /// Opens a session for somebody who has proven who they are, with what its application is `allowed` in it. Unless they were
    /// `judged`, the transaction has locked them.
    ///
    /// # Errors
    /// [`Error::Wrong`] when they are not as judged any more: no session outlives a change that overtook it (V-059).
    pub(super) async fn open(
        &self,
        conn: &mut Conn,
        user: UserId,
        methods: &[&str],
        judged: Option<&Judged<'_>>,
        allowed: Option<&Allowed<'_>>,
        origin: &Origin,
    ) -> Result<NewSession, Error> {
        let now = self.clock.now();
        let session = SessionRecord {
            id: SessionId::new(),
            user,
            client: origin.client.clone(),
            auth_time: now,
            amr: methods.iter().map(|method| (*method).to_owned()).collect(),
            address: origin.address.to_string(),
            user_agent: origin.user_agent.clone(),
            created_at: now,
            last_used_at: now,
            expires_at: now + self.settings.sessions.absolute,
        };
        let browser = origin.client.is_none();
        let token = if browser { Some(Opaque::new(Opaque::SESSION)?) } else { None };
        let hash = token.as_ref().map(Opaque::hash);
        let event = Event::new("sign_in", origin).by(Principal::User(user)).with("session", session.id.to_string());
        let event = event.with("amr", session.amr.clone());
        let idle = self.settings.sessions.idle;
        if !store::sessions::open(&mut *conn, &session, hash, idle, judged, allowed, &event).await? {
            return Err(Error::Wrong);
        }
        let device = if browser { self.recognise(conn, user, origin, now).await? } else { None };
        Ok(NewSession { session, token, device })
    }

    /// Remembers a browser; tells the person when it is a new one and not the first.
    async fn recognise(
        &self,
        conn: &mut Conn,
        user: UserId,
        origin: &Origin,
        now: OffsetDateTime,
    ) -> Result<Option<Opaque>, Error> {
        if let Some(device) = &origin.device
            && store::sessions::knows_device(&mut *conn, user, device).await?
        {
            store::sessions::remember_device(conn, user, device, now).await?;
            return Ok(None);
        }
        let first = !store::sessions::has_devices(&mut *conn, user).await?;
        // A device token that is not known for this person may have been planted: it gets a fresh one.
        let device = Opaque::new(Opaque::DEVICE)?;
        store::sessions::remember_device(&mut *conn, user, &device.hash(), now).await?;
        if !first {
            let message = Message::NewDevice { device: origin.user_agent.clone(), address: origin.address, at: now };
            self.notify(conn, user, &message).await?;
        }
        Ok(Some(device))
    }

    /// The session that a cookie opens.
    pub async fn find_session(&self, token: &str, origin: &Origin) -> Result<Option<SessionRecord>, Error> {
        if !token.starts_with(Opaque::SESSION) {
            return Ok(None);
        }
        let (now, idle) = (self.clock.now(), self.settings.sessions.idle);
        let (hash, address) = (digest(token.as_bytes()), origin.address.to_string());
        let found = store::sessions::touch(&self.pool, &hash, now, idle, &address);
        Ok(store::within(found).await?)
    }

    /// A session by its id, if it has not ended.
    pub async fn session(&self, id: SessionId) -> Result<Option<SessionRecord>, Error> {
        Ok(store::sessions::find(&self.pool, id, self.clock.now()).await?)
    }

    /// Everything a person has open.
    pub async fn list_sessions(&self, user: UserId) -> Result<Vec<SessionRecord>, Error> {
        Ok(store::sessions::list(&self.pool, user, self.clock.now()).await?)
    }

    /// Ends one session of a person, with its tokens.
    pub async fn end_session(&self, user: UserId, id: SessionId, origin: &Origin) -> Result<Revision, Error> {
        let mut write = self.pdp.write().await?;
        if self.end(&mut write, user, Some(id), None).await? == 0 {
            return Err(Error::Missing("such session"));
        }
        let event = Event::new("sign_out", origin).by(Principal::User(user)).with("session", id.to_string());
        store::audit::insert(write.conn(), self.clock.now(), &event).await?;
        self.finish(write).await
    }

    /// Ends all sessions of a person, or all but one.
    pub async fn end_sessions(&self, user: UserId, but: Option<SessionId>, origin: &Origin) -> Result<Revision, Error> {
        let mut write = self.pdp.write().await?;
        let ended = self.end(&mut write, user, None, but).await?;
        let event = Event::new("sign_out_everywhere", origin).by(Principal::User(user)).with("sessions", ended);
        store::audit::insert(write.conn(), self.clock.now(), &event).await?;
        self.finish(write).await
    }

    /// Ends sessions in an open write: one, all, or all but one. Answers how many.
    ///
    /// What applications were allowed in them ends too, with its refresh tokens (N-095). Ending all also ends what was
    /// allowed in sessions that merely expired, since with `offline_access` it outlives them.
    pub async fn end(
        &self,
        write: &mut Write,
        user: UserId,
        only: Option<SessionId>,
        but: Option<SessionId>,
    ) -> Result<usize, Error> {
        let now = self.clock.now();
        // First: whoever redeems a code of these sessions at this moment is waited for, and found below.
        let ended = store::sessions::delete(write.conn(), user, only, but).await?;
        let which = if only.is_some() { Which::Sessions(&ended) } else { Which::But(but) };
        let authorizations = store::authorizations::end_several(write.conn(), user, which, now).await?;
        self.farewells.put(write.conn(), user, &ended, &authorizations).await?;
        let sessions = ended.iter().map(|id| format!("sid:{id}"));
        let dead: Vec<String> = sessions.chain(authorizations.iter().map(|id| format!("grant:{id}"))).collect();
        if !dead.is_empty() {
            write.revoke(dead, now + self.settings.access_token + Duration::MINUTE).await?;
        }
        Ok(ended.len())
    }

    /// Notes that the person of a session has proven once more who they are. Its cookie is a new one.
    pub(super) async fn strengthen(
        &self,
        conn: &mut Conn,
        mut session: SessionRecord,
        methods: &[&str],
    ) -> Result<NewSession, Error> {
        let token = Opaque::new(Opaque::SESSION)?;
        session.auth_time = self.clock.now();
        session.amr = methods.iter().map(|method| (*method).to_owned()).collect();
        if !store::sessions::strengthen(conn, session.id, &token.hash(), &session.amr, session.auth_time).await? {
            return Err(Error::Spent);
        }
        Ok(NewSession { session, token: Some(token), device: None })
    }
}

/// Methods of a login with a password alone.
pub(super) const ONE_FACTOR: [&str; 1] = [amr::PASSWORD];
/// Methods of a login with a password and a code.
pub(super) const TWO_FACTORS: [&str; 3] = [amr::PASSWORD, amr::OTP, amr::MFA];
