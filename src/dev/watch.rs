//! Hand-written Cedar, taken over while it is being edited.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::{
    app::{App, Directories},
    pdp::{self, Adopted, Error},
    policy::Files,
};

/// How often the files are looked at. Reading a handful of files costs less than being clever about it.
const INTERVAL: Duration = Duration::from_millis(300);

/// Follows the directories until cancelled. Files that do not compile are reported, and the last good ones stay.
pub async fn follow(app: App, directories: Directories, mut last: Option<Files>, stop: CancellationToken) {
    while stop.run_until_cancelled(tokio::time::sleep(INTERVAL)).await.is_some() {
        let Ok(files) = directories.read() else { continue };
        if last.as_ref() == Some(&files) {
            continue;
        }
        take_over(&app, &directories, &files).await;
        last = Some(files);
    }
}

async fn take_over(app: &App, directories: &Directories, files: &Files) {
    match pdp::adopt_edited(&app.pool, files.clone()).await {
        Ok(Adopted::Activated(number)) => tracing::info!(bundle = number, "the edited files are active"),
        Ok(Adopted::Known(number)) => tracing::info!(bundle = number, "the edited files are active, as before"),
        Ok(Adopted::Refused(broken)) => {
            for grants in broken {
                let (count, reason) = (grants.count, grants.fault.message);
                tracing::error!(count, reason, "the edited files would break grants; the last good ones stay active");
            }
        }
        Err(Error::Bundle(error)) => report(directories, files, &error),
        Err(error) => tracing::error!(error = %error, "the edited files were not taken over"),
    }
    let taken = async {
        app.pdp.refresh().await?;
        app.pdp.warn_if_locked_out().await
    };
    if let Err(error) = taken.await {
        tracing::warn!(error = %error, "cannot refresh");
    }
}

/// Prints findings with the lines they are about.
pub fn report(directories: &Directories, files: &Files, error: &crate::policy::CompileError) {
    for diagnostic in &error.diagnostics {
        let mut shown = diagnostic.clone();
        shown.file = directories.locate(&diagnostic.file).display().to_string();
        eprintln!("{}\n", shown.render(files.get(&diagnostic.file).map(String::as_str)));
    }
    eprintln!("these files are not used; the last good ones stay active");
}
