//! What commands without a server read: a part of the table each.

use super::{ConfigErrors, Environment, Issuer, Reader, SETTINGS, Secret};

/// How to reach the database: all that `deodar migrate` and `deodar policy` need.
#[derive(Clone, Debug)]
pub struct DatabaseConfig {
    /// A `postgres://` URL.
    pub url: Secret<String>,
}

impl DatabaseConfig {
    /// Reads these settings alone; a missing issuer or key is no fault here, an unknown variable still is.
    ///
    /// # Errors
    /// All faults together.
    pub fn read(
        lookup: impl Fn(&str) -> Option<String>,
        names: impl Iterator<Item = String>,
    ) -> Result<Self, ConfigErrors> {
        let mut reader = Reader::new(&lookup);
        let url = reader.database_url();
        reader.refuse_unknown(names, SETTINGS);
        reader.finish(url.map(|url| Self { url }))
    }

    /// As [`super::Config::from_env`].
    ///
    /// # Errors
    /// As [`DatabaseConfig::read`].
    pub fn from_env() -> Result<Self, ConfigErrors> {
        let environment = Environment::load()?;
        Self::read(|name| environment.get(name), environment.names())
    }
}

/// What commands that print links need: the database, and where people reach the server.
#[derive(Clone, Debug)]
pub struct LinkConfig {
    /// How to reach the database.
    pub database: DatabaseConfig,
    /// The base URL of links.
    pub issuer: Issuer,
}

impl LinkConfig {
    /// Reads these settings alone.
    ///
    /// # Errors
    /// All faults together.
    pub fn read(
        lookup: impl Fn(&str) -> Option<String>,
        names: impl Iterator<Item = String>,
    ) -> Result<Self, ConfigErrors> {
        let mut reader = Reader::new(&lookup);
        let (url, issuer) = (reader.database_url(), reader.issuer());
        reader.refuse_unknown(names, SETTINGS);
        reader.finish(url.zip(issuer).map(|(url, issuer)| Self { database: DatabaseConfig { url }, issuer }))
    }

    /// As [`super::Config::from_env`].
    ///
    /// # Errors
    /// As [`LinkConfig::read`].
    pub fn from_env() -> Result<Self, ConfigErrors> {
        let environment = Environment::load()?;
        Self::read(|name| environment.get(name), environment.names())
    }
}
