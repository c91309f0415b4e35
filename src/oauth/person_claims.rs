//! Claims about a person (OpenID Connect Core §5.1). What is not known is left out.

use serde_json::{Map, Value};

use crate::{model::Claim, store::users::UserRow};

/// Those of a person that are wanted.
pub fn of(person: &UserRow, wanted: impl Fn(Claim) -> bool) -> Map<String, Value> {
    let all = Claim::ALL.into_iter().filter(|(claim, ..)| wanted(*claim));
    all.filter_map(|(claim, name, _)| Some((name.to_owned(), value(person, claim)?))).collect()
}

fn value(person: &UserRow, claim: Claim) -> Option<Value> {
    match claim {
        Claim::Name => person.display_name.clone().map(Value::from),
        Claim::PreferredUsername => Some(person.username.clone().into()),
        Claim::Locale => person.locale.clone().map(Value::from),
        Claim::Zoneinfo => person.zoneinfo.clone().map(Value::from),
        Claim::UpdatedAt => Some(person.updated_at.unix_timestamp().into()),
        Claim::Email => person.email.clone().map(Value::from),
        Claim::EmailVerified => person.email.as_ref().map(|_| person.email_verified.into()),
    }
}
