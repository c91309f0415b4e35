//! What a check costs inside the process, beside Cedar's own authorizer in the same run.
//!
//! Every figure is a median over batches; what is compared is measured in turns. A world has one principal for each
//! ten roles that inherit each other. A check of it meets 14 candidates: two hand-written policies, a grant on the
//! type for each of the ten roles, a grant on the document and one on its folder.
//!
//! Where worlds of different size are compared, as many principals take turns in both, so that what differs is the
//! number of grants and not the number of policies in use.

#![expect(clippy::unwrap_used, reason = "a benchmark may stop")]

use std::{
    fs,
    hint::black_box,
    sync::Arc,
    time::{Duration, Instant},
};

use cedar_policy::{Authorizer, Context, Decision, Entities, Entity, EntityUid, PolicySet, Request};
use deodar::{
    model::{EntityRef, Fields, GrantId, Json, Revision, RoleName, UserId},
    pdp::{AccessRequest, ResourceInput, Subject, decide},
    policy::{self, Bundle, Delta, Files, GrantSource, Holder, Loader, Snapshot, StoredGrant},
};

const DECADE: usize = 10;
/// A thousand grants are enough for so many principals with twelve grants each.
const ASKERS: usize = 83;
const POLICIES: &str = r#"
    @id("guard") forbid (principal, action == Action::"read", resource is Document)
    when { resource has confidential && resource.confidential };
    @id("inside") permit (principal is User, action == Action::"read", resource)
    when { context has ip && context.ip.isLoopback() };
"#;

struct World {
    snapshot: Snapshot,
    /// One for each decade: the principal, and a document with its folder.
    askers: Vec<(UserId, Arc<Holder>, String, String)>,
}

fn main() {
    let bundle = Arc::new(bundle());
    let before = resident();
    let big = World::new(&bundle, 1000, 1_000_000);
    let after = resident();
    let small = World::new(&bundle, ASKERS, 1_000);

    let request = small.request(0);
    let (bare, candidates) = small.bare(0);
    assert_eq!(candidates, 14, "the mix that the target is about");
    assert!(small.check(&request, 0) && bare.ask());
    let (ours, theirs) = paired(|| small.check(&request, 0), || bare.ask());
    ratio("check ÷ bare authorizer over the same ready-made 14 policies", ours, theirs, "at most 2.0");

    let (mut m, mut k) = (0, 0);
    let requests: Vec<AccessRequest> = (0..ASKERS).map(|n| n * 12).map(|n| big.request(n)).collect();
    let few: Vec<AccessRequest> = (0..small.askers.len()).map(|n| small.request(n)).collect();
    let at_million = || {
        m = (m + 7) % requests.len();
        big.check(&requests[m], m * 12)
    };
    let at_thousand = || {
        k = (k + 7) % few.len();
        small.check(&few[k], k)
    };
    let (million, thousand) = paired(at_million, at_thousand);
    ratio(
        "check at 1 000 000 grants ÷ at 1 000 grants, principals and resources rotating",
        million,
        thousand,
        "at most 1.3",
    );

    let full = small.full(0);
    let (stock, sliced) = paired(|| full.ask(), || small.check(&request, 0));
    ratio("stock authorizer over all of 1 000 grants ÷ check", stock, sliced, "at least 20");

    println!("{:>9.1} bytes a grant in memory (at most 150)", (after - before) as f64 / 1e6);
    let mut grown = Vec::new();
    for n in 0..20 {
        let delta = Delta { grants: vec![one_more(n)], ..Delta::default() };
        let started = Instant::now();
        let next = big.snapshot.apply(Revision(2), delta);
        grown.push(started.elapsed());
        black_box(next);
    }
    println!("{:>9.3} ms for one more grant beside a million (well below 50)", median(&mut grown).as_secs_f64() * 1e3);
}

impl World {
    fn new(bundle: &Arc<Bundle>, decades: usize, grants: usize) -> Self {
        let roles = decades * DECADE;
        let inherits = |n: usize| if n.is_multiple_of(DECADE) { vec![] } else { vec![role(n - 1)] };
        let graph = (0..roles).map(|n| (role(n), inherits(n))).collect();
        let mut loader = Loader::new(Revision(1), Arc::clone(bundle), graph).unwrap();
        let singles = grants / decades - DECADE;
        for n in 0..roles {
            let name = role(n);
            let mut push = |ty: &str, id: Option<&str>| {
                loader.push(GrantSource {
                    id: GrantId::new(),
                    role: name.as_str(),
                    effect: deodar::model::Effect::Permit,
                    action: "read",
                    ty,
                    resource_id: id,
                    condition: None,
                });
            };
            push("Document", None);
            // Roles take turns; the last two of ten have the grants that are asked about.
            let (place, each) = (n % DECADE, singles / DECADE);
            let own = if place >= 8 { each.max(1) } else { each };
            for grant in 0..own {
                match place {
                    8 => push("Folder", Some(&folder(n, grant))),
                    _ => push("Document", Some(&document(n, grant))),
                }
            }
        }
        let snapshot = loader.finish();
        let askers = (0..decades).map(|decade| {
            let user = UserId::new();
            let last = decade * DECADE + DECADE - 1;
            let uid = format!("User::\"{user}\"").parse().unwrap();
            let holder = Arc::new(snapshot.holder(uid, [role(last)].iter()));
            (user, holder, document(last, 0), folder(last - 1, 0))
        });
        Self { askers: askers.collect(), snapshot }
    }

    fn request(&self, n: usize) -> AccessRequest {
        let (user, _, document, folder) = &self.askers[n];
        AccessRequest {
            principal: Subject::plain(EntityRef::new("User", user.to_string())),
            action: "read".to_owned(),
            resource: ResourceInput {
                entity: EntityRef::new("Document", document),
                attributes: Fields::from([("confidential".to_owned(), Json::Bool(false))]),
                parents: vec![EntityRef::new("Folder", folder)],
            },
            context: Fields::from([("ip".to_owned(), Json::String("10.0.0.1".to_owned()))]),
            session: None,
        }
    }

    /// The whole of what the decision point does for a principal that it has at hand.
    fn check(&self, request: &AccessRequest, n: usize) -> bool {
        let holder = Some(Arc::clone(&self.askers[n].1));
        decide(&self.snapshot, request, holder, None, false).unwrap().allow
    }

    fn bare(&self, n: usize) -> (Bare, usize) {
        let (_, holder, document, folder) = &self.askers[n];
        let held = |ix: &u32| self.snapshot.role(*ix).map(|role| self.snapshot.grants_of(role).collect::<Vec<_>>());
        let matches = |g: &GrantSource<'_>| match g.resource_id {
            None => true,
            Some(id) => id == document || id == folder,
        };
        let grants = holder.roles.iter().filter_map(held).flatten().filter(matches);
        let policies: Vec<_> = grants.map(|grant| policy::policy(grant).unwrap()).collect();
        let count = policies.len() + 2;
        (self.prepared(n, policies), count)
    }

    fn full(&self, n: usize) -> Bare {
        let grants = self.snapshot.roles().flat_map(|(_, role)| self.snapshot.grants_of(role).collect::<Vec<_>>());
        let policies = grants.map(|grant| policy::policy(grant).unwrap()).collect();
        self.prepared(n, policies)
    }

    fn prepared(&self, n: usize, grants: Vec<cedar_policy::Policy>) -> Bare {
        let (user, holder, document, folder) = &self.askers[n];
        let uid = |text: String| text.parse::<EntityUid>().unwrap();
        let (user, document) = (uid(format!("User::\"{user}\"")), uid(format!("Document::\"{document}\"")));
        let folder = uid(format!("Folder::\"{folder}\""));
        let action = uid("Action::\"read\"".to_owned());
        let roles = self.snapshot.role_uids(&holder.roles).into_iter().collect();
        let flag = cedar_policy::RestrictedExpression::new_bool(false);
        let entities = [
            Entity::new_no_attrs(user.clone(), roles),
            Entity::new(document.clone(), [("confidential".to_owned(), flag)].into(), [folder].into()).unwrap(),
            Entity::new_no_attrs(action.clone(), [].into()),
        ];
        let ip = ("ip".to_owned(), cedar_policy::RestrictedExpression::new_ip("10.0.0.1"));
        let written = self.snapshot.bundle.policies.iter().cloned();
        Bare {
            authorizer: Authorizer::new(),
            request: Request::new(user, action, document, Context::from_pairs([ip]).unwrap(), None).unwrap(),
            policies: PolicySet::from_policies(written.chain(grants)).unwrap(),
            entities: Entities::from_entities(entities, None).unwrap(),
        }
    }
}

/// Everything ready: only the authorizer's own work is left.
struct Bare {
    authorizer: Authorizer,
    request: Request,
    policies: PolicySet,
    entities: Entities,
}

impl Bare {
    fn ask(&self) -> bool {
        let response = self.authorizer.is_authorized(&self.request, &self.policies, &self.entities);
        response.decision() == Decision::Allow
    }
}

fn bundle() -> Bundle {
    let schema = include_str!("../schema/docs.cedarschema").to_owned();
    let files = Files::from([
        ("schema/docs.cedarschema".to_owned(), schema),
        ("policies/bench.cedar".to_owned(), POLICIES.to_owned()),
    ]);
    policy::compile(0, &files).unwrap()
}

fn role(n: usize) -> RoleName {
    format!("role-{n}").parse().unwrap()
}

/// 36 bytes, as a UUID has.
fn document(role: usize, grant: usize) -> String {
    format!("{role:018}{grant:018}")
}

fn folder(role: usize, grant: usize) -> String {
    format!("{role:017}f{grant:018}")
}

fn one_more(n: usize) -> StoredGrant {
    StoredGrant {
        role: role(n),
        id: GrantId::new(),
        effect: deodar::model::Effect::Permit,
        action: "read".to_owned(),
        ty: "Document".to_owned(),
        resource_id: Some("new".into()),
        condition: None,
    }
}

/// Medians of one call each, measured in turns.
fn paired(mut a: impl FnMut() -> bool, mut b: impl FnMut() -> bool) -> (Duration, Duration) {
    let batch = |work: &mut dyn FnMut() -> bool| {
        // As many calls as fill a couple of milliseconds, however long one takes.
        let once = Instant::now();
        black_box(work());
        let calls = (2_000_000 / once.elapsed().as_nanos().max(1)).clamp(1, 500) as u32;
        let started = Instant::now();
        for _ in 0..calls {
            black_box(work());
        }
        started.elapsed() / calls
    };
    let (mut of_a, mut of_b) = (Vec::new(), Vec::new());
    for _ in 0..400 {
        of_a.push(batch(&mut a));
        of_b.push(batch(&mut b));
    }
    (median(&mut of_a), median(&mut of_b))
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn ratio(what: &str, a: Duration, b: Duration, target: &str) {
    println!("{:>9.2} {what} ({target}): {a:.2?} ÷ {b:.2?}", a.as_secs_f64() / b.as_secs_f64());
}

/// Resident bytes of this process.
fn resident() -> i64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<i64>().unwrap() * 1024
}
