//! `deodar admin`.

use clap::Subcommand;

use super::{Failure, database};
use crate::{
    crypto::Opaque,
    model::{AuthMethod, Client, ClientId, Clock, GrantType, Principal, RoleName},
    store::{self, revision::Change},
};

/// What to bootstrap.
#[derive(Subcommand)]
pub enum Command {
    /// Make an administrator: a client that holds the role `admin`, and print its secret once
    Create {
        /// A name for people
        #[arg(long, value_name = "NAME")]
        client: String,
    },
}

/// Runs it. Works on the database directly: whoever can do that needs no permission.
pub async fn run(command: Command) -> Result<(), Failure> {
    let Command::Create { client: name } = command;
    let pool = database::open()?;
    let secret = Opaque::new(Opaque::CLIENT_SECRET)?;
    let client = Client {
        id: ClientId::new(),
        name,
        redirect_uris: Vec::new(),
        grant_types: vec![GrantType::ClientCredentials],
        scope: "admin authz:check".parse()?,
        auth_method: AuthMethod::ClientSecretBasic,
        active: true,
        created_at: Clock::default().now(),
    };
    let mut tx = pool.begin().await?;
    store::revision::lock(&mut tx).await?;
    store::clients::insert(&mut *tx, &client, Some(secret.hash())).await?;
    let principal = Principal::Client(client.id.clone());
    store::assignments::put(&mut *tx, &principal, &RoleName::admin(), None).await?;
    store::revision::advance(&mut tx, &[Change::Principal(principal)]).await?;
    tx.commit().await?;
    println!("client_id:     {}\nclient_secret: {}", client.id, secret.expose());
    Ok(())
}
