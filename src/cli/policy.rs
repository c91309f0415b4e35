//! `deodar policy`.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::Subcommand;

use super::{Failure, database};
use crate::{
    app::Directories,
    pdp::{self, Pdp, Settings},
    policy::{self, Bundle, Files},
    store::{self, revision::Change},
};

/// What to do with hand-written Cedar.
#[derive(Subcommand)]
pub enum Command {
    /// Parse and validate `policies/` against `schema/`
    Check {
        /// The folder that holds both
        #[arg(default_value = ".")]
        dir: PathBuf,
    },
    /// Run the decision tests in `policies/tests/*.json`
    Test {
        /// The folder that holds `policies/` and `schema/`
        #[arg(default_value = ".")]
        dir: PathBuf,
    },
    /// Store the files as a new bundle, without activating it
    Push {
        /// The folder that holds `policies/` and `schema/`
        #[arg(default_value = ".")]
        dir: PathBuf,
    },
    /// List all bundles
    List,
    /// Show what differs between two bundles
    Diff {
        /// The older one
        a: i32,
        /// The newer one
        b: i32,
    },
    /// Decide with this bundle from now on
    Activate {
        /// Its number
        n: i32,
    },
    /// Write the whole live set as stock Cedar: policies.cedar, schema.cedarschema, entities.json
    Export {
        /// Where to
        dir: PathBuf,
    },
}

/// Runs one of them.
pub async fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Check { dir } => check(&dir).await,
        Command::Test { dir } => test(&dir).await,
        Command::Push { dir } => push(&dir).await,
        Command::List => list().await,
        Command::Diff { a, b } => diff(a, b).await,
        Command::Activate { n } => activate(n).await,
        Command::Export { dir } => export(&dir).await,
    }
}

/// Compiles files; everything that is wrong with them comes as text with the lines it is about.
pub fn compile(directories: &Directories, files: &Files) -> Result<Bundle, String> {
    policy::compile(0, files).map_err(|error| {
        let findings = error.diagnostics.iter().map(|finding| {
            let mut shown = finding.clone();
            shown.file = directories.locate(&finding.file).display().to_string();
            shown.render(files.get(&finding.file).map(String::as_str))
        });
        findings.collect::<Vec<_>>().join("\n\n")
    })
}

async fn load(dir: &Path) -> Result<(Files, Bundle), Failure> {
    let directories = Directories::below(dir);
    if !directories.exist() {
        return Err(Failure(format!("`{}` has neither `policies/` nor `schema/`", dir.display())));
    }
    let files = directories.read()?;
    let bundle = pdp::off_runtime({
        let files = files.clone();
        move || compile(&directories, &files)
    });
    Ok((files, bundle.await?.map_err(|findings| Failure(format!("the policies cannot be used:\n{findings}")))?))
}

async fn check(dir: &Path) -> Result<(), Failure> {
    let (files, bundle) = load(dir).await?;
    for warning in &bundle.warnings {
        println!("{}\n", warning.render(files.get(&warning.file).map(String::as_str)));
    }
    println!("{} policies in {} files are good", bundle.policies.iter().count(), files.len());
    Ok(())
}

async fn test(dir: &Path) -> Result<(), Failure> {
    let (_, bundle) = load(dir).await?;
    let tests = dir.join("policies").join("tests");
    let mut paths: Vec<PathBuf> = Vec::new();
    if tests.is_dir() {
        for entry in fs::read_dir(&tests)? {
            paths.push(entry?.path());
        }
    }
    paths.retain(|path| path.extension().is_some_and(|ext| ext == "json"));
    paths.sort();
    let (mut passed, mut failed) = (0, 0);
    for path in paths {
        let text = fs::read_to_string(&path)?;
        let results = policy::run_tests(&bundle, &text).map_err(|e| Failure(format!("{}: {e}", path.display())))?;
        for result in results {
            match result.failure {
                None => passed += 1,
                Some(reason) => {
                    failed += 1;
                    println!("{}: {}: {reason}", path.display(), result.name);
                }
            }
        }
    }
    println!("{passed} passed, {failed} failed");
    if failed == 0 { Ok(()) } else { Err(Failure("some decisions are not as expected".to_owned())) }
}

async fn push(dir: &Path) -> Result<(), Failure> {
    let (files, bundle) = load(dir).await?;
    let pool = database::open()?;
    let mut tx = pool.begin().await?;
    store::revision::lock(&mut tx).await?;
    refuse_broken(&mut tx, &Arc::new(bundle)).await?;
    let (number, new) = store::bundles::insert(&mut tx, &files, pdp::digest(&files)).await?;
    tx.commit().await?;
    println!("bundle {number}{}", if new { "" } else { ", stored before" });
    Ok(())
}

async fn list() -> Result<(), Failure> {
    let pool = database::open()?;
    for row in store::bundles::list(&pool, i32::MAX, i64::MAX).await? {
        println!("{:>5}  {}  {}", row.number, row.created_at, if row.active { "active" } else { "" });
    }
    Ok(())
}

async fn diff(a: i32, b: i32) -> Result<(), Failure> {
    let pool = database::open()?;
    let (old, new) = (find(&pool, a).await?, find(&pool, b).await?);
    let paths: std::collections::BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    for path in paths {
        let text = |files: &Files| files.get(path).cloned().unwrap_or_default();
        let (before, after) = (text(&old), text(&new));
        if before != after {
            let diff = similar::TextDiff::from_lines(&before, &after);
            print!("{}", diff.unified_diff().header(&format!("{a}/{path}"), &format!("{b}/{path}")));
        }
    }
    Ok(())
}

async fn activate(number: i32) -> Result<(), Failure> {
    let pool = database::open()?;
    let files = find(&pool, number).await?;
    let bundle = pdp::compile(number, files).await??;
    let mut tx = pool.begin().await?;
    store::revision::lock(&mut tx).await?;
    refuse_broken(&mut tx, &bundle).await?;
    store::bundles::activate(&mut *tx, number).await?;
    let revision = store::revision::advance(&mut tx, &[Change::Bundle]).await?;
    tx.commit().await?;
    println!("bundle {number} is active as of revision {revision}");
    let seen = async {
        let clock = database::clock(&pool).await?;
        Ok::<_, Failure>(Pdp::load(pool, clock, Settings::default()).await?.warn_if_locked_out().await?)
    };
    if let Err(error) = seen.await {
        eprintln!("whether an administrator can still administer could not be seen: {}", error.0);
    }
    Ok(())
}

async fn export(dir: &Path) -> Result<(), Failure> {
    let pool = database::open()?;
    let clock = database::clock(&pool).await?;
    let pdp = Pdp::load(pool.clone(), clock.clone(), Settings::default()).await?;
    let snapshot = pdp.snapshot();
    let mut conn = pool.acquire().await?;
    let principals = store::principals::list_active(&mut conn, clock.now()).await?;
    let holders = principals.iter().filter_map(|(principal, roles)| {
        let uid = snapshot.bundle.vocabulary.uid(&principal.entity()).ok()?;
        Some(snapshot.holder(uid, roles.iter()))
    });
    let exported = policy::export(&snapshot, &holders.collect::<Vec<_>>())?;
    fs::create_dir_all(dir)?;
    fs::write(dir.join("policies.cedar"), exported.policies)?;
    fs::write(dir.join("schema.cedarschema"), exported.schema)?;
    fs::write(dir.join("entities.json"), exported.entities)?;
    let (grants, revision) = (snapshot.grant_count(), snapshot.revision);
    println!("{grants} grants and {} principals as of revision {revision}", principals.len());
    Ok(())
}

async fn find(pool: &store::Pool, number: i32) -> Result<Files, Failure> {
    let found = store::bundles::find(pool, number).await?;
    found.map(|(_, files)| files).ok_or_else(|| Failure(format!("there is no bundle {number}")))
}

async fn refuse_broken(conn: &mut store::Conn, bundle: &Arc<Bundle>) -> Result<(), Failure> {
    let broken = pdp::broken_grants(conn, bundle).await?;
    if broken.is_empty() {
        return Ok(());
    }
    let lines = broken.iter().map(|grants| {
        let ids: Vec<String> = grants.ids.iter().map(ToString::to_string).collect();
        format!("{} grants would break: {} ({})", grants.count, grants.fault.message, ids.join(", "))
    });
    Err(Failure(lines.collect::<Vec<_>>().join("\n")))
}
