//! What people say about themselves, read at the edge.

use super::{ApiError, FieldFault};
use crate::{model::Line, store::users::ProfileChange};

/// Reads a change of a profile: absent stays, null goes.
pub fn read(
    display_name: Option<Option<String>>,
    locale: Option<Option<String>>,
    zoneinfo: Option<Option<String>>,
) -> Result<ProfileChange, ApiError> {
    let mut faults = Vec::new();
    let change = ProfileChange {
        display_name: checked("display_name", display_name, &mut faults, |text| {
            text.parse::<Line>().map(|line| line.to_string()).map_err(|error| error.to_string())
        }),
        locale: checked("locale", locale, &mut faults, |text| {
            let fits = (2..=35).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
            if fits { Ok(text.to_owned()) } else { Err("write a language tag such as `pt-BR`".to_owned()) }
        }),
        zoneinfo: checked("zoneinfo", zoneinfo, &mut faults, |text| {
            let plain = |b: u8| b.is_ascii_alphanumeric() || b"/_+-".contains(&b);
            let fits = (1..=64).contains(&text.len()) && text.bytes().all(plain);
            if fits { Ok(text.to_owned()) } else { Err("write a time zone such as `Europe/Lisbon`".to_owned()) }
        }),
    };
    if faults.is_empty() { Ok(change) } else { Err(ApiError::Unprocessable(faults)) }
}

fn checked(
    field: &str,
    value: Option<Option<String>>,
    faults: &mut Vec<FieldFault>,
    check: impl Fn(&str) -> Result<String, String>,
) -> Option<Option<String>> {
    value.map(|value| {
        value.and_then(|text| {
            check(&text).map_err(|why| faults.push(FieldFault::new(field, &format!("invalid_{field}"), why))).ok()
        })
    })
}
