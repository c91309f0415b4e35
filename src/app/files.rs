//! The files of a bundle on disk.

use std::{
    io,
    path::{Path, PathBuf},
};

use crate::policy::{Files, OWN_SCHEMA, OWN_SCHEMA_PATH};

/// Where hand-written Cedar lies.
#[derive(Clone, Debug)]
pub struct Directories {
    /// `policies/`.
    pub policies: PathBuf,
    /// `schema/`.
    pub schema: PathBuf,
}

/// A file or folder cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read `{path}`")]
pub struct Unreadable {
    path: PathBuf,
    #[source]
    source: io::Error,
}

impl Directories {
    /// The two folders below a common one.
    pub fn below(dir: &Path) -> Self {
        Self { policies: dir.join("policies"), schema: dir.join("schema") }
    }

    /// Whether there is something to read.
    pub fn exist(&self) -> bool {
        self.policies.is_dir() || self.schema.is_dir()
    }

    /// Reads every `.cedar` and `.cedarschema` file, and adds those of the server's own policies that are not there.
    pub fn read(&self) -> Result<Files, Unreadable> {
        let mut files = Files::new();
        collect(&self.policies, "policies", "cedar", &mut files)?;
        collect(&self.schema, "schema", "cedarschema", &mut files)?;
        complete(&mut files);
        Ok(files)
    }

    /// The place on disk of a file of the bundle.
    pub fn locate(&self, path: &str) -> PathBuf {
        match path.split_once('/') {
            Some(("policies", rest)) => self.policies.join(rest),
            Some(("schema", rest)) => self.schema.join(rest),
            _ => PathBuf::from(path),
        }
    }
}

/// The server's own policies. A folder that has no file of one of these names gets it from here; to decide otherwise,
/// write a file of that name.
const OWN_POLICIES: [(&str, &str); 4] = [
    ("policies/admin.cedar", include_str!("../../policies/admin.cedar")),
    ("policies/account.cedar", include_str!("../../policies/account.cedar")),
    ("policies/signin.cedar", include_str!("../../policies/signin.cedar")),
    ("policies/tokens.cedar", include_str!("../../policies/tokens.cedar")),
];

/// What a server starts with that was given no files: its own schema, and its own policies.
pub fn built_in() -> Files {
    let mut files = Files::from([(OWN_SCHEMA_PATH.to_owned(), OWN_SCHEMA.to_owned())]);
    complete(&mut files);
    files
}

fn complete(files: &mut Files) {
    for (path, text) in OWN_POLICIES {
        files.entry(path.to_owned()).or_insert_with(|| text.to_owned());
    }
}

fn collect(dir: &Path, prefix: &str, extension: &str, files: &mut Files) -> Result<(), Unreadable> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| Unreadable { path, source }
    };
    if !dir.is_dir() {
        return Ok(());
    }
    for entry in std::fs::read_dir(dir).map_err(failed(dir))? {
        let path = entry.map_err(failed(dir))?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        // Editors leave hidden files behind while they save.
        if name.starts_with('.') {
            continue;
        }
        if path.is_dir() {
            collect(&path, &format!("{prefix}/{name}"), extension, files)?;
        } else if path.extension().is_some_and(|found| found == extension) {
            let text = std::fs::read_to_string(&path).map_err(failed(&path))?;
            files.insert(format!("{prefix}/{name}"), text);
        }
    }
    Ok(())
}
