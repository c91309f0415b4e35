//! `/api/v1/admin`, one file for each resource.

mod assignments;
mod bundles;
mod clients;
mod grants;
mod roles;
