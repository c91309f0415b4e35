//! Decision tests as data, in the JSON form of the stock `cedar run-tests`.
//!
//! `[{"name","request":{"principal","action","resource","context"},"entities":[…],"decision","reason":[…],"num_errors"}]`

use std::str::FromStr;

use cedar_policy::{Context, Decision, Entities, EntityUid, PolicySet, Request};
use serde::Deserialize;

use super::{bundle::Bundle, evaluate};

/// One case of a file.
#[derive(Debug, Deserialize)]
struct Case {
    name: Option<String>,
    request: CaseRequest,
    #[serde(default)]
    entities: serde_json::Value,
    decision: Expected,
    reason: Option<Vec<String>>,
    num_errors: Option<usize>,
}

#[derive(Debug, Deserialize)]
struct CaseRequest {
    principal: String,
    action: String,
    resource: String,
    #[serde(default)]
    context: serde_json::Value,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Expected {
    Allow,
    Deny,
}

/// What became of a case.
pub struct CaseResult {
    /// Its name, or its number from 1.
    pub name: String,
    /// Why it failed.
    pub failure: Option<String>,
}

/// Runs the cases of a file over the hand-written policies of a bundle. `Err` when the file is no list of cases.
pub fn run_tests(bundle: &Bundle, json: &str) -> Result<Vec<CaseResult>, String> {
    let cases: Vec<Case> = serde_json::from_str(json).map_err(|error| error.to_string())?;
    let set = PolicySet::from_policies(bundle.policies.iter().cloned()).map_err(|error| error.to_string())?;
    let results = cases.into_iter().enumerate().map(|(n, case)| CaseResult {
        name: case.name.clone().unwrap_or_else(|| format!("case {}", n + 1)),
        failure: run(bundle, &set, case).err(),
    });
    Ok(results.collect())
}

fn run(bundle: &Bundle, set: &PolicySet, case: Case) -> Result<(), String> {
    let schema = Some(&bundle.vocabulary.schema);
    let uid = |text: &str| EntityUid::from_str(text).map_err(|error| format!("`{text}`: {error}"));
    let action = uid(&case.request.action)?;
    let context = match case.request.context {
        serde_json::Value::Null => Context::empty(),
        json => {
            Context::from_json_value(json, Some((&bundle.vocabulary.schema, &action))).map_err(|e| e.to_string())?
        }
    };
    let (principal, resource) = (uid(&case.request.principal)?, uid(&case.request.resource)?);
    let request = Request::new(principal, action, resource, context, schema).map_err(|error| error.to_string())?;
    let entities = match case.entities {
        serde_json::Value::Null => serde_json::Value::Array(Vec::new()),
        json => json,
    };
    let entities = Entities::from_json_value(entities, schema).map_err(|error| error.to_string())?;
    let response = evaluate::answer(&request, set, &entities);
    let decision = if response.decision() == Decision::Allow { Expected::Allow } else { Expected::Deny };
    if decision != case.decision {
        return Err(format!("expected {:?}, decided {decision:?}", case.decision).to_lowercase());
    }
    if let Some(mut wanted) = case.reason {
        let mut found: Vec<String> = response.diagnostics().reason().map(|id| short(id.as_ref())).collect();
        wanted.sort();
        found.sort();
        if wanted.iter().map(|id| short(id)).ne(found.iter().cloned()) {
            return Err(format!("expected the reasons {wanted:?}, found {found:?}"));
        }
    }
    let errors = response.diagnostics().errors().count();
    match case.num_errors {
        Some(wanted) if wanted != errors => Err(format!("expected {wanted} errors, found {errors}")),
        _ => Ok(()),
    }
}

/// The stock tool knows a policy by its `@id` alone.
fn short(id: &str) -> String {
    id.rsplit_once('#').map_or(id, |(_, name)| name).to_owned()
}
