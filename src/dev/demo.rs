//! Demo data: the example application's roles, grants, people and clients. Seeded once.

use serde::Serialize;

use super::secrets::Secrets;
use crate::{
    accounts::{self, NewAccount, NewPassword},
    app::App,
    crypto::{PasswordError, digest},
    model::{
        Client, ClientId, ClientMetadata, Effect, GrantId, GrantType, NewGrant, Principal, ResourceScope, RoleName,
        Secret, UserId, Username,
    },
    pdp,
    policy::{GrantSource, faults},
    store::{self, clients::Known, revision::Change},
};

/// `dev.json`.
#[derive(Serialize)]
pub struct Dev {
    /// Where the server is.
    pub issuer: String,
    admin: Login,
    admin_client: DevClient,
    demo_client: DevClient,
    users: Vec<DevUser>,
    database_url: String,
}

#[derive(Serialize)]
struct Login {
    username: &'static str,
    password: String,
}

#[derive(Serialize)]
struct DevClient {
    client_id: &'static str,
    client_secret: String,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    redirect_uris: &'static [&'static str],
}

#[derive(Serialize)]
struct DevUser {
    username: &'static str,
    password: String,
    id: UserId,
    roles: Vec<&'static str>,
}

/// The demo data cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The database.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The decision point.
    #[error(transparent)]
    Pdp(#[from] pdp::Error),
    /// Hashing.
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// An account.
    #[error(transparent)]
    Accounts(#[from] accounts::Error),
    /// A constant of this file is wrong.
    #[error("the demo data are wrong")]
    Wrong,
}

const ADMIN_CLIENT: &str = "dev-admin";
const DEMO_CLIENT: &str = "dev-demo";
const REDIRECT_URIS: [&str; 2] = ["http://127.0.0.1/callback", "http://[::1]/callback"];
const ROLES: [(&str, &str, &[&str]); 3] = [
    ("viewer", "Reads what is in the team's folder", &[]),
    ("editor", "Reads and changes what is in the team's folder", &["viewer"]),
    ("auditor", "Looks at everything in the admin API", &[]),
];
/// Role, action, folder.
const GRANTS: [(&str, &str, &str); 3] = [("viewer", "read", "7"), ("editor", "write", "7"), ("editor", "share", "7")];
const USERS: [(&str, &[&str]); 4] = [("admin", &["admin"]), ("ana", &["editor"]), ("ben", &["viewer"]), ("cleo", &[])];

/// Writes the demo data into a database that has none, and tells what is in it.
pub async fn seed(app: &App, secrets: &Secrets, database_url: String) -> Result<Dev, DemoError> {
    if store::users::find_id(&app.pool, &username("admin")?).await?.is_none() {
        write(app, secrets).await?;
    }
    let mut users = Vec::new();
    for (name, roles) in USERS {
        if let Some(id) = store::users::find_id(&app.pool, &username(name)?).await? {
            users.push(DevUser {
                username: name,
                password: password(secrets, name).to_owned(),
                id,
                roles: roles.to_vec(),
            });
        }
    }
    Ok(Dev {
        issuer: app.config.issuer.as_str().to_owned(),
        admin: Login { username: "admin", password: secrets.admin_password.clone() },
        admin_client: DevClient {
            client_id: ADMIN_CLIENT,
            client_secret: secrets.admin_client.clone(),
            redirect_uris: &[],
        },
        demo_client: DevClient {
            client_id: DEMO_CLIENT,
            client_secret: secrets.demo_client.clone(),
            redirect_uris: &REDIRECT_URIS,
        },
        users,
        database_url,
    })
}

async fn write(app: &App, secrets: &Secrets) -> Result<(), DemoError> {
    let mut people = Vec::new();
    for (username, roles) in USERS {
        let account = account(username, password(secrets, username))?;
        let hash = app.accounts.prepare(&account).await?;
        people.push((account, roles, hash));
    }
    let mut write = app.pdp.write().await?;
    for (name, description, _) in ROLES {
        if store::roles::insert(write.conn(), &role(name)?, description).await? {
            write.changed(Change::Role(role(name)?));
        }
    }
    for (name, _, inherits) in ROLES {
        for other in inherits {
            store::roles::insert_inherits(write.conn(), &role(name)?, &role(other)?).await?;
        }
    }
    let bundle = std::sync::Arc::clone(&write.base().bundle);
    let grants = GRANTS.into_iter().map(|(name, action, folder)| Ok((GrantId::new(), grant(name, action, folder)?)));
    let grants: Vec<(GrantId, NewGrant)> = grants.collect::<Result<_, DemoError>>()?;
    // The watched schema may be somebody's own, which knows nothing of folders.
    let known = |(_, grant): &(GrantId, NewGrant)| faults(&bundle.vocabulary, source(grant)).is_empty();
    let grants: Vec<(GrantId, NewGrant)> = grants.into_iter().filter(known).collect();
    store::grants::insert(write.conn(), &grants).await?;
    for (id, grant) in grants {
        write.changed(Change::Grant(grant.role, id));
    }
    for (account, roles, hash) in people {
        let id = app.accounts.create(&mut write, &account, hash.as_ref()).await?;
        for name in roles {
            store::assignments::put(write.conn(), &Principal::User(id), &role(name)?, None).await?;
        }
    }
    for (client, secret) in [(admin_client()?, &secrets.admin_client), (demo_client()?, &secrets.demo_client)] {
        let known = Known { client, secret: Some(digest(secret.as_bytes())), registration: None };
        store::clients::insert(write.conn(), &known).await?;
        let principal = Principal::Client(known.client.id);
        if principal.id() == ADMIN_CLIENT {
            store::assignments::put(write.conn(), &principal, &RoleName::admin(), None).await?;
        }
        write.changed(Change::Principal(principal));
    }
    write.commit().await?;
    Ok(())
}

fn account(name: &str, password: &str) -> Result<NewAccount, DemoError> {
    Ok(NewAccount {
        id: UserId::new(),
        username: username(name)?,
        email: Some(format!("{name}@example.com").parse().map_err(|_| DemoError::Wrong)?),
        email_verified: true,
        display_name: None,
        password: NewPassword::Given(Secret::new(password.to_owned())),
    })
}

fn username(name: &str) -> Result<Username, DemoError> {
    name.parse().map_err(|_| DemoError::Wrong)
}

fn admin_client() -> Result<Client, DemoError> {
    client(ADMIN_CLIENT, "Administration from scripts", vec![GrantType::ClientCredentials], "admin authz:check", &[])
}

fn demo_client() -> Result<Client, DemoError> {
    let all = GrantType::ALL.to_vec();
    let scope = "openid profile email offline_access authz:check";
    client(DEMO_CLIENT, "Demo application", all, scope, &REDIRECT_URIS)
}

fn client(
    id: &str,
    name: &str,
    grant_types: Vec<GrantType>,
    scope: &str,
    redirect_uris: &[&str],
) -> Result<Client, DemoError> {
    let metadata = ClientMetadata {
        client_name: Some(name.to_owned()),
        redirect_uris: redirect_uris.iter().map(|uri| (*uri).to_owned()).collect(),
        grant_types,
        scope: scope.parse().map_err(|_| DemoError::Wrong)?,
        ..ClientMetadata::default()
    };
    let id: ClientId = id.parse().map_err(|_| DemoError::Wrong)?;
    Ok(Client::new(id, metadata.completed(), time::OffsetDateTime::UNIX_EPOCH))
}

fn grant(name: &str, action: &str, folder: &str) -> Result<NewGrant, DemoError> {
    Ok(NewGrant {
        role: role(name)?,
        effect: Effect::Permit,
        action: action.to_owned(),
        resource: ResourceScope { ty: "Folder".to_owned(), id: Some(folder.to_owned()) },
        condition: None,
        description: "demo".to_owned(),
    })
}

fn source(grant: &NewGrant) -> GrantSource<'_> {
    GrantSource {
        id: GrantId::new(),
        role: grant.role.as_str(),
        effect: grant.effect,
        action: &grant.action,
        ty: &grant.resource.ty,
        resource_id: grant.resource.id.as_deref(),
        condition: None,
    }
}

fn role(name: &str) -> Result<RoleName, DemoError> {
    name.parse().map_err(|_| DemoError::Wrong)
}

fn password<'a>(secrets: &'a Secrets, username: &str) -> &'a str {
    if username == "admin" { &secrets.admin_password } else { &secrets.user_password }
}

impl Dev {
    /// What is printed when the server is up.
    pub fn welcome(&self, file: &std::path::Path) -> String {
        let Self { issuer, .. } = self;
        let file = file.display();
        let (allow, deny) = (self.check("ana", "read"), self.check("ben", "write"));
        format!(
            "\nDeodar is up at {issuer} (API reference: {issuer}/docs, mail: {issuer}/dev/mail)\n\
             Users, clients and their secrets: {file}\n\
             \nMay ana, an editor, read document 42 in folder 7? (allow: editors inherit viewers)\n\n{allow}\n\
             \nMay ben, a viewer, write it? (deny, and what would have to be granted)\n\n{deny}\n"
        )
    }

    /// A command that asks, to be pasted into a shell as it is.
    fn check(&self, username: &str, action: &str) -> String {
        let Self { issuer, admin_client: DevClient { client_id, client_secret, .. }, .. } = self;
        let id = self.users.iter().find(|user| user.username == username).map(|user| user.id);
        let id = id.map_or(String::new(), |id| id.to_string());
        let insecure = if issuer.starts_with("https") { "k" } else { "" };
        let token = format!(
            "$(curl -s{insecure} {issuer}/oauth/token -u '{client_id}:{client_secret}' -d grant_type=client_credentials \
             | sed 's/.*\"access_token\":\"\\([^\"]*\\)\".*/\\1/')"
        );
        let body = serde_json::json!({
            "principal": { "type": "User", "id": id },
            "action": action,
            "resource": { "type": "Document", "id": "42", "parents": [{ "type": "Folder", "id": "7" }] },
            "explain": true,
        });
        format!(
            "curl -s{insecure} {issuer}/authz/check -H \"Authorization: Bearer {token}\" \
             -H 'Content-Type: application/json' -d '{body}'"
        )
    }
}
