//! Nobody gains what nobody gave them, and the server never loses its last administrator. V-047, V-048.

use std::time::Duration;

use serde_json::json;

use crate::{
    actor::{Actor, question},
    app::{Node, TestApp},
};

/// A client that may hand out `viewer`, edit `delegate`, and make grants for it.
async fn delegate(app: &TestApp, admin: &Actor) -> Actor {
    let delegate = app.client("delegate", "admin authz:check", &["delegate"]).await;
    admin.create_role("viewer", &[]).await.is(201);
    admin.grant("viewer", "read", json!({ "type": "Document" })).await.is(201);
    for (action, role) in [
        ("assignRole", "viewer"),
        ("unassignRole", "viewer"),
        ("inheritRole", "delegate"),
        ("createGrant", "delegate"),
        ("deleteGrant", "delegate"),
    ] {
        let role = json!({ "type": "Role", "id": role });
        admin.grant("delegate", &format!("Deodar::{action}"), role).await.is(201);
    }
    delegate
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delegate_assigns_the_role_they_were_given_to_hand_out_and_no_other_v047() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let delegate = delegate(&app, &admin).await;
    let ana = app.user("ana", &["other"]).await;

    delegate.assign(&ana, "viewer").await.is(204);
    delegate.assign(delegate.who(), "viewer").await.is(204);
    for role in ["admin", "other", "auditor", "no-such-role"] {
        delegate.assign(&ana, role).await.problem(403, "forbidden");
        delegate.assign(delegate.who(), role).await.problem(403, "forbidden");
    }
    delegate.unassign(&ana, "other").await.problem(403, "forbidden");
    delegate.unassign(admin.who(), "admin").await.problem(403, "forbidden");
    delegate.unassign(&ana, "viewer").await.is(204);
    admin.role("viewer").await.is(200);
}

/// What was delegated by name stays delegated by name, also when that role comes to inherit more.
#[tokio::test(flavor = "multi_thread")]
async fn a_delegate_gains_nothing_through_a_role_that_inherits_another_v047() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let delegate = delegate(&app, &admin).await;
    for other in ["admin", "viewer"] {
        delegate.inherit("delegate", other).await.problem(403, "forbidden");
        delegate.inherit("viewer", other).await.problem(403, "forbidden");
        delegate.create_role("mine", &[other]).await.problem(403, "forbidden");
    }
    delegate.disinherit("admin", "viewer").await.problem(403, "forbidden");
    let own = delegate.check(question(delegate.who(), "read", json!({ "type": "Document", "id": "1" }))).await;
    own.denies();
}

/// A grant gives only what the grantor holds.
#[tokio::test(flavor = "multi_thread")]
async fn a_delegate_grants_only_what_they_hold_v047() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let delegate = delegate(&app, &admin).await;
    let folder = json!({ "type": "Folder", "id": "7" });
    admin.grant("delegate", "read", folder.clone()).await.is(201);
    let on_mine = |action: &str, resource| (action.to_owned(), resource);
    for (action, resource) in [
        on_mine("write", folder.clone()),
        on_mine("read", json!({ "type": "Folder", "id": "8" })),
        on_mine("read", json!({ "type": "Folder" })),
        on_mine("read", json!({ "type": "Document" })),
        on_mine("edit", folder.clone()),
        on_mine("Deodar::assignRole", json!({ "type": "Role", "id": "admin" })),
        on_mine("Deodar::assignRole", json!({ "type": "Role" })),
        on_mine("Deodar::administer", json!({ "type": "Deodar::Server" })),
    ] {
        let answer = delegate.grant("delegate", &action, resource.clone()).await;
        assert_eq!(answer.status, 403, "{action} {resource}: {}", answer.text);
        let batch = json!({ "create": [{ "role": "delegate", "action": action, "resource": resource }] });
        delegate.grants_batch(&batch).await.problem(403, "forbidden");
    }
    let again = delegate.grant("delegate", "read", folder.clone()).await.is(201);
    delegate.delete_grant(&again.text_at("/id")).await.is(204);
    delegate.grant("viewer", "read", folder.clone()).await.problem(403, "forbidden");

    // One good grant in a batch does not carry a bad one along.
    let good = json!({ "role": "delegate", "action": "read", "resource": folder });
    let bad = json!({ "role": "delegate", "action": "write", "resource": folder });
    let before = admin.grants("delegate").await.items().len();
    delegate.grants_batch(&json!({ "create": [good, bad] })).await.problem(403, "forbidden");
    assert_eq!(admin.grants("delegate").await.items().len(), before);
}

/// A conditional permit is not held without its condition, and a forbid narrows what is held.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_held_under_a_condition_is_not_granted_without_it_v047() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let delegate = delegate(&app, &admin).await;
    let document = json!({ "type": "Document" });
    let conditional = |condition: &str| json!({ "action": "read", "resource": document, "condition": condition });
    let owned = "resource has owner && resource.owner == principal";
    admin.grant_body("delegate", &conditional(owned)).await.is(201);
    delegate.grant("delegate", "read", document.clone()).await.problem(403, "forbidden");
    delegate.grant_body("delegate", &conditional("true")).await.problem(403, "forbidden");
    delegate.grant_body("delegate", &conditional(owned)).await.is(201);

    admin.grant("delegate", "write", document.clone()).await.is(201);
    delegate.grant("delegate", "write", document.clone()).await.is(201);
    let forbid = admin.forbid("delegate", "write", json!({ "type": "Document", "id": "1" })).await.is(201);
    delegate.grant("delegate", "write", document.clone()).await.problem(403, "forbidden");
    // Nor is the forbid taken away by whom it binds.
    delegate.delete_grant(&forbid.text_at("/id")).await.problem(403, "forbidden");
}

/// Credentials are means to act as somebody.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_takes_over_a_client_that_holds_more_v047() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let delegate = delegate(&app, &admin).await;
    for action in ["rotateClientSecret", "updateClient", "deleteClient"] {
        admin.grant("delegate", &format!("Deodar::{action}"), json!({ "type": "Client" })).await.is(201);
    }
    admin.grant("delegate", "Deodar::createClient", json!({ "type": "Deodar::Server" })).await.is(201);
    let mighty = app.client("mighty", "admin", &["other"]).await;
    let equal = app.client("equal", "", &["delegate"]).await;
    let change = || json!({ "client_name": "mine", "redirect_uris": ["https://evil.example/"] });

    for target in [&admin, &mighty] {
        let id = &target.who().id;
        delegate.rotate_secret(id).await.problem(403, "forbidden");
        delegate.update_client(id, change()).await.problem(403, "forbidden");
        delegate.update_client(id, json!({ "active": false })).await.problem(403, "forbidden");
        delegate.delete_client(id).await.problem(403, "forbidden");
        target.client_credentials(None).await.is(200);
    }
    delegate.rotate_secret(&equal.who().id).await.is(200);
    delegate.update_client(&equal.who().id, change()).await.is(200);
    // A client that is switched off will hold its roles again, so it counts as holding more.
    admin.update_client(&mighty.who().id, json!({ "active": false })).await.is(200);
    delegate.rotate_secret(&mighty.who().id).await.problem(403, "forbidden");
    delegate.update_client(&mighty.who().id, json!({ "active": true })).await.problem(403, "forbidden");
}

/// Nobody makes a client with a scope that they do not have.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_hands_out_a_scope_they_do_not_have_v047() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let clerk = app.client("clerk", "admin", &["clerk"]).await;
    admin.grant("clerk", "Deodar::createClient", json!({ "type": "Deodar::Server" })).await.is(201);
    admin.grant("clerk", "Deodar::updateClient", json!({ "type": "Client" })).await.is(201);
    let new = |scope: &str| json!({ "client_name": "new", "scope": scope });
    clerk.create_client(new("authz:check")).await.problem(403, "forbidden");
    let made = clerk.create_client(new("orders:read")).await.is(201).text_at("/client_id");
    clerk.update_client(&made, json!({ "scope": "orders:read authz:check" })).await.problem(403, "forbidden");
    clerk.update_client(&made, json!({ "scope": "orders:read" })).await.is(200);
}

/// Who can act as a client can use its scopes.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_takes_over_a_client_with_a_scope_they_do_not_have_v047() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let clerk = app.client("clerk", "admin", &["clerk"]).await;
    for action in ["rotateClientSecret", "updateClient"] {
        admin.grant("clerk", &format!("Deodar::{action}"), json!({ "type": "Client" })).await.is(201);
    }
    let asker = app.client("asker", "authz:check", &[]).await;
    clerk.rotate_secret(&asker.who().id).await.problem(403, "forbidden");
    clerk.update_client(&asker.who().id, json!({ "redirect_uris": [] })).await.problem(403, "forbidden");
    let plain = app.client("plain", "orders", &[]).await;
    clerk.rotate_secret(&plain.who().id).await.is(200);
}

/// A forbid binds until somebody takes it away who is not bound by it.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_frees_themselves_of_a_forbid_v047() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let clerk = app.client("clerk", "admin authz:check", &["clerk"]).await;
    admin.create_role("bound", &[]).await.is(201);
    admin.inherit("clerk", "bound").await.is(204);
    admin.grant("clerk", "write", json!({ "type": "Document" })).await.is(201);
    let forbid = admin.forbid("bound", "write", json!({ "type": "Document", "id": "1" })).await.is(201).text_at("/id");
    for action in ["inheritRole", "deleteRole", "unassignRole", "deleteGrant"] {
        admin.grant("clerk", &format!("Deodar::{action}"), json!({ "type": "Role" })).await.is(201);
    }
    let ask = question(clerk.who(), "write", json!({ "type": "Document", "id": "1" }));
    clerk.delete_grant(&forbid).await.problem(403, "forbidden");
    clerk.disinherit("clerk", "bound").await.problem(403, "forbidden");
    clerk.delete_role("bound").await.problem(403, "forbidden");
    admin.assign(clerk.who(), "bound").await.is(204);
    clerk.unassign(clerk.who(), "bound").await.problem(403, "forbidden");
    clerk.check(ask).await.denies();
}

/// Nor is the last administrator left with hands tied: what binds them, they must be able to undo.
#[tokio::test(flavor = "multi_thread")]
async fn administrators_do_not_tie_their_own_hands_v048() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let forbid =
        |action: &str| json!({ "role": "admin", "effect": "forbid", "action": action, "resource": { "type": "Role" } });
    let both = json!({ "create": [forbid("Deodar::deleteGrant"), forbid("Deodar::createGrant")] });
    admin.grants_batch(&both).await.problem(409, "last_administrator");
}

/// An auditor looks.
#[tokio::test(flavor = "multi_thread")]
async fn an_auditor_changes_nothing_v047() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let auditor = app.client("auditor", "admin authz:check", &["auditor"]).await;
    auditor.roles("").await.is(200);
    auditor.clients("").await.is(200);
    auditor.find_client(&admin.who().id).await.is(200);
    auditor.assignments(admin.who()).await.is(200);
    auditor.bundles().await.is(200);
    auditor.create_role("mine", &[]).await.problem(403, "forbidden");
    auditor.assign(auditor.who(), "admin").await.problem(403, "forbidden");
    auditor.inherit("auditor", "admin").await.problem(403, "forbidden");
    auditor.rotate_secret(&auditor.who().id).await.problem(403, "forbidden");
    auditor.activate(1).await.problem(403, "forbidden");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_administrator_cannot_be_removed_by_any_path_v048() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let (me, id) = (admin.who().clone(), admin.who().id.clone());
    let later = app.clock.now() + Duration::from_secs(3600);
    let last = |answer: crate::answer::Answer| answer.problem(409, "last_administrator");

    last(admin.unassign(&me, "admin").await);
    last(admin.delete_client(&id).await);
    last(admin.update_client(&id, json!({ "active": false })).await);
    last(admin.assign_until(&me, "admin", later).await);
    last(admin.delete_role("admin").await);
    for (action, ty) in [("Deodar::administer", "Deodar::Server"), ("Deodar::assignRole", "Role")] {
        last(admin.forbid("admin", action, json!({ "type": ty })).await);
    }
    last(admin.forbid("admin", "Deodar::delegate", json!({ "type": "Role", "id": "admin" })).await);
    last(admin.forbid("admin", "Deodar::activateBundle", json!({ "type": "Deodar::Server", "id": "deodar" })).await);
    let condition = json!({ "effect": "forbid", "action": "Deodar::assignRole", "resource": { "type": "Role" },
        "condition": "context.held" });
    last(admin.grant_body("admin", &condition).await);
    // A forbid that comes by inheritance.
    admin.create_role("trap", &[]).await.is(201);
    admin.forbid("trap", "Deodar::assignRole", json!({ "type": "Role" })).await.is(201);
    last(admin.inherit("admin", "trap").await);
    last(admin.assign(&me, "trap").await);
    // Others who do not count: only for a while, switched off, by a role that gives nothing.
    let brief = app.client("brief", "admin", &["plain"]).await;
    admin.assign_until(brief.who(), "admin", later).await.is(204);
    last(admin.unassign(&me, "admin").await);
    let off = app.client("off", "admin", &["admin"]).await;
    admin.update_client(&off.who().id, json!({ "active": false })).await.is(200);
    last(admin.unassign(&me, "admin").await);

    // Nothing of all this happened.
    assert_eq!(admin.role("admin").await.is(200).json["inherits"], json!([]));
    assert_eq!(admin.grants("admin").await.items().len(), 0);
    admin.create_role("still-here", &[]).await.is(201);
    // With a second administrator it goes.
    let second = app.client("second", "admin", &["admin"]).await;
    admin.unassign(&me, "admin").await.is(204);
    admin.create_role("no-more", &[]).await.problem(403, "forbidden");
    second.create_role("now-i", &[]).await.is(201);
}

/// Administrators by a role that inherits `admin` are administrators.
#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_by_inheritance_counts_until_the_inheritance_ends_v048() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    admin.create_role("owner", &["admin"]).await.is(201);
    let owner = app.client("owner", "admin", &["owner"]).await;
    admin.unassign(admin.who(), "admin").await.is(204);
    owner.disinherit("owner", "admin").await.problem(409, "last_administrator");
    owner.delete_role("owner").await.problem(409, "last_administrator");
    owner.unassign(owner.who(), "owner").await.problem(409, "last_administrator");
    owner.create_role("still-here", &[]).await.is(201);
}

/// Two administrators remove each other at the same instant, over two nodes.
#[tokio::test(flavor = "multi_thread")]
async fn two_administrators_who_remove_each_other_do_not_both_succeed_v048() {
    let app = TestApp::spawn().await;
    let other = app.second_node().await;
    for round in 0..5 {
        let (one, two) = (app.admin().await, app.admin().await);
        let rest = app.admin().await;
        remove_all_but(&rest, &[&one, &two]).await;
        let (there, id) = (other.ask(&two), rest.who().id.clone());
        one.delete_client(&id).await.is(204);
        let (left, right) = tokio::join!(one.unassign(two.who(), "admin"), there.unassign(one.who(), "admin"));
        let statuses = [left.status, right.status];
        assert!(statuses.contains(&204), "round {round}: {statuses:?}");
        assert!(statuses.iter().any(|status| matches!(status, 403 | 409)), "round {round}: {statuses:?}");
        let survivor = if left.status == 204 { one } else { two };
        survivor.create_role(&format!("alive-{round}"), &[]).await.is(201);
    }
}

/// Takes `admin` from everybody but these and the caller.
async fn remove_all_but(admin: &Actor, kept: &[&Actor]) {
    for client in admin.clients("limit=200").await.is(200).items() {
        let who = crate::actor::Who::client(client["client_id"].as_str().unwrap());
        if who != *admin.who() && kept.iter().all(|k| *k.who() != who) {
            admin.delete_client(&who.id).await.is(204);
        }
    }
}

/// Sixteen administrators all leave at once, over two nodes: one stays.
#[tokio::test(flavor = "multi_thread")]
async fn when_all_administrators_leave_at_once_one_has_to_stay_v048() {
    let app = TestApp::spawn().await;
    let other = app.second_node().await;
    let mut admins = Vec::new();
    for n in 0..8 {
        let admin = app.admin().await;
        admins.push(if n % 2 == 0 { admin } else { other.ask(&admin) });
    }
    wait(&other, &app).await;
    let leaving = admins.iter().map(|admin| async { admin.unassign(admin.who(), "admin").await.status });
    let statuses = futures_util::future::join_all(leaving).await;
    assert_eq!(statuses.iter().filter(|status| **status == 409).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 204).count(), 7, "{statuses:?}");
}

async fn wait(node: &Node, app: &TestApp) {
    node.has(app.node().app.pdp.snapshot().revision).await;
}

/// Authority that was taken away is gone at the next call, on every node, whatever the token says.
#[tokio::test(flavor = "multi_thread")]
async fn authority_ends_with_the_assignment() {
    let app = TestApp::spawn().await;
    let other = app.second_node().await;
    let admin = app.admin().await;
    let second = app.client("second", "admin", &["admin"]).await;
    second.create_role("first", &[]).await.is(201);
    admin.unassign(second.who(), "admin").await.is(204);
    second.create_role("second", &[]).await.problem(403, "forbidden");
    // A write is judged as of the revision that it follows, so the other node needs no time to hear of it.
    let there = other.ask(&second);
    there.create_role("third", &[]).await.problem(403, "forbidden");
}
