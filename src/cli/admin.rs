//! `deodar admin`.

use clap::{Args, Subcommand};

use super::{Failure, database};
use crate::{
    accounts::administrators::{self, RecoveryLink},
    crypto::Opaque,
    model::{Client, ClientId, ClientMetadata, Email, GrantType, Principal, RoleName, Username},
    store::{self, clients::Known, revision::Change},
};

/// What to bootstrap.
#[derive(Subcommand)]
pub enum Command {
    /// Make an administrator: a person (prints a link to set the password) or a client (prints its secret)
    Create(Create),
    /// Print a link that lets an administrator back in: new password, no second factor, no waiting
    Recover {
        /// Login name
        username: Username,
    },
}

/// Whom to make.
#[derive(Args)]
pub struct Create {
    /// A person with this login name
    #[arg(long, value_name = "NAME", requires = "email", required_unless_present = "client")]
    username: Option<Username>,
    /// The person's address, which is still to be proven
    #[arg(long, value_name = "ADDR", requires = "username")]
    email: Option<Email>,
    /// A client with this name for people
    #[arg(long, value_name = "NAME", conflicts_with = "username")]
    client: Option<String>,
}

/// Runs it. Works on the database directly: whoever can do that needs no permission.
pub async fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Create(Create { username: Some(username), email: Some(email), .. }) => {
            let (pool, issuer) = database::open_with_issuer()?;
            let now = database::clock(&pool).await?.now();
            print(&administrators::create(&pool, &issuer, &username, &email, now).await?);
        }
        Command::Create(Create { client, .. }) => create_client(client.unwrap_or_default()).await?,
        Command::Recover { username } => {
            let (pool, issuer) = database::open_with_issuer()?;
            let now = database::clock(&pool).await?.now();
            print(&administrators::recover(&pool, &issuer, &username, now).await?);
        }
    }
    Ok(())
}

fn print(link: &RecoveryLink) {
    let until = link.expires_at;
    println!("{}", link.url.expose());
    eprintln!(
        "It sets the password, once, until {:02}:{:02} UTC; give it to nobody else.",
        until.hour(),
        until.minute()
    );
}

async fn create_client(name: String) -> Result<(), Failure> {
    let pool = database::open()?;
    let secret = Opaque::new(Opaque::CLIENT_SECRET)?;
    let metadata = ClientMetadata {
        client_name: Some(name),
        grant_types: vec![GrantType::ClientCredentials],
        scope: "admin authz:check".parse()?,
        ..ClientMetadata::default()
    };
    let metadata = metadata.completed();
    let client = Client::new(ClientId::new(), metadata, database::clock(&pool).await?.now());
    let known = Known { client, secret: Some(secret.hash()), registration: None };
    let mut tx = pool.begin().await?;
    store::revision::lock(&mut tx).await?;
    store::clients::insert(&mut *tx, &known).await?;
    let principal = Principal::Client(known.client.id.clone());
    store::assignments::put(&mut *tx, &principal, &RoleName::admin(), None).await?;
    store::revision::advance(&mut tx, &[Change::Principal(principal)]).await?;
    tx.commit().await?;
    println!("client_id:     {}\nclient_secret: {}", known.client.id, secret.expose());
    Ok(())
}
