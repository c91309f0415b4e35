//! Who may do what, as one reviewed file: `tests/it/permissions.txt`.
//!
//! `UPDATE=1 scripts/with-services cargo test --test it permissions` writes it anew.

use std::{fmt::Write, path::Path};

use serde_json::{Value, json};

use crate::{
    actor::{Actor, Who, question, with},
    app::TestApp,
    coverage::{Guard, Targets, existing, operations},
};

const FILE: &str = "tests/it/permissions.txt";

#[tokio::test(flavor = "multi_thread")]
async fn the_permissions_are_those_of_the_reviewed_file() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let targets = existing(&app, &admin).await;
    let roles = ["admin", "auditor", "helpdesk", "delegate", "plain"];
    let (mut callers, mut people) = (Vec::new(), Vec::new());
    for role in roles {
        callers.push((role, app.client(role, "admin authz:check", &[role]).await));
        people.push(app.user(&format!("{role}-person"), &[role]).await);
    }
    let ordinary = app.user("ordinary", &[]).await;
    let viewer = admin.create_role("viewer", &[]).await.is(201);
    assert_eq!(viewer.json["name"], "viewer");
    admin.grant("viewer", "read", json!({ "type": "Document" })).await.is(201);
    admin.grant("plain", "read", json!({ "type": "Document" })).await.is(201);
    let delegated = json!({ "type": "Role", "id": "viewer" });
    admin.grant("delegate", "Deodar::assignRole", delegated).await.is(201);

    let mut text = String::from(
        "What a person of each role may do in the admin API and to their own account. `yes`: allowed. `held`: allowed\n\
         where nothing is handed out that the caller does not hold. `-`: not allowed. Written by the test beside it;\n\
         review every change.\n\n\
         # Actions, asked of the decision point\n\n",
    );
    head(&mut text, &roles);
    for (action, ty) in actions(&admin).await {
        for (label, resource) in resources(&ty, &targets, &callers, &people, &ordinary) {
            let row = format!("{action} on {label}");
            let mut cells = Vec::new();
            for person in &people {
                let resource = resource.clone().unwrap_or_else(|| person.json());
                let ask = |held: bool| {
                    let question = question(person, &action, resource.clone());
                    admin.check(with(question, "context", circumstances(&action, held)))
                };
                let (without, held) = (ask(false).await.is(200), ask(true).await.is(200));
                cells.push(match (without.json["decision"].as_str(), held.json["decision"].as_str()) {
                    (Some("allow"), Some("allow")) => "yes",
                    (Some("deny"), Some("allow")) => "held",
                    (Some("deny"), Some("deny")) => "-",
                    other => panic!("{row}: {other:?}"),
                });
            }
            line(&mut text, &row, &cells);
        }
    }

    text.push_str("\n# Operations, called on things that do not exist: `yes` is any answer but 403\n\n");
    head(&mut text, &roles);
    let viewer = Targets { role: "viewer".to_owned(), ..Targets::missing() };
    for operation in operations().iter().filter(|o| o.guard == Guard::Admin) {
        for (label, targets) in [("", Targets::missing()), (" (role viewer)", viewer.clone())] {
            // What would change the fixture, and what names no role, needs no second row.
            let harmless = operation.method == "GET" || operation.path.contains("/roles/{role}");
            if !label.is_empty()
                && !(harmless && (operation.path.contains("{role}") || operation.path.contains("{name}")))
            {
                continue;
            }
            let mut cells = Vec::new();
            for (_, caller) in &callers {
                let answer = operation.call(caller, &targets).await;
                assert!(answer.status < 500 && answer.status != 401, "{}: {}", operation.path, answer.text);
                cells.push(if answer.status == 403 { "-" } else { "yes" });
            }
            line(&mut text, &format!("{} {}{label}", operation.method, operation.path), &cells);
        }
    }

    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let reviewed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(text == reviewed, "`{FILE}` says something else; is now:\n{}", difference(&reviewed, &text));
}

/// Every action of the server's own namespace with each resource type it applies to, out of the schema itself.
async fn actions(admin: &Actor) -> Vec<(String, String)> {
    let (_, files) = admin.active_bundle().await;
    let text: String = files.iter().filter(|(path, _)| path.starts_with("schema/")).map(|(_, t)| t.as_str()).collect();
    let (schema, _) = cedar_policy::Schema::from_cedarschema_str(&text).unwrap();
    let mut found = Vec::new();
    for action in schema.actions().filter(|action| action.type_name().to_string() == "Deodar::Action") {
        let id: &str = action.id().as_ref();
        let types = schema.resources_for_action(action).into_iter().flatten().map(ToString::to_string);
        found.extend(types.map(|ty| (format!("Deodar::{id}"), ty)));
    }
    found.sort();
    found.dedup();
    found
}

/// What an action wants to know.
fn circumstances(action: &str, held: bool) -> Value {
    match action {
        "Deodar::issueToken" => json!({ "grant_type": "authorization_code", "scopes": ["openid"], "resources": [] }),
        _ => json!({ "held": held }),
    }
}

/// Things of a type; `None` is oneself.
fn resources(
    ty: &str,
    targets: &Targets,
    callers: &[(&str, Actor)],
    people: &[Who],
    ordinary: &Who,
) -> Vec<(String, Option<Value>)> {
    let of = |id: &str| Some(json!({ "type": ty, "id": id }));
    match ty {
        "Role" => ["admin", "viewer", "target", "no-such-role"].map(|n| (format!("Role {n}"), of(n))).to_vec(),
        "Client" => vec![
            ("a plain Client".to_owned(), of(&targets.client)),
            ("an administrating Client".to_owned(), of(&callers[0].1.who().id)),
        ],
        "User" => vec![
            ("oneself".to_owned(), None),
            ("an ordinary User".to_owned(), of(&ordinary.id)),
            ("an administrating User".to_owned(), of(&people[0].id)),
        ],
        "Deodar::Server" => vec![("the Server".to_owned(), of("deodar"))],
        other => panic!("what is a resource of type `{other}`?"),
    }
}

fn head(text: &mut String, roles: &[&str]) {
    line(text, "", roles);
}

fn line(text: &mut String, row: &str, cells: &[&str]) {
    let mut line = format!("{row:<64}");
    for cell in cells {
        write!(line, "{cell:<10}").unwrap();
    }
    text.push_str(line.trim_end());
    text.push('\n');
}

fn difference(old: &str, new: &str) -> String {
    let difference = similar::TextDiff::from_lines(old, new);
    difference.unified_diff().context_radius(1).to_string()
}
