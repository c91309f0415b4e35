//! People, from registering to leaving: `/api/v1/users`, `/api/v1/me`, `/api/v1/admin/users`, `/api/v1/admin/audit`
//! and the password grant.

mod applications;
mod audit;
mod bodies;
mod helped;
mod leaving;
mod recovery;
mod registration;
mod second_factor;
mod sign_in;
mod strangers;
mod walk;
