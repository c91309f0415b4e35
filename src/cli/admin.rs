//! `deodar admin`.

use clap::Subcommand;

use super::{Failure, database};
use crate::{
    crypto::Opaque,
    model::{Client, ClientId, ClientMetadata, Clock, GrantType, Principal, RoleName},
    store::{self, clients::Known, revision::Change},
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
    let metadata = ClientMetadata {
        client_name: Some(name),
        grant_types: vec![GrantType::ClientCredentials],
        scope: "admin authz:check".parse()?,
        ..ClientMetadata::default()
    };
    let metadata = metadata.completed();
    let client = Client::new(ClientId::new(), metadata, Clock::default().now());
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
