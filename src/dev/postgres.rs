//! A private PostgreSQL cluster for `deodar dev`, run with the server programs that are installed on this machine.
//!
//! Everything lives in one folder, the home: `data/`, `password`, `port`, `postgres.log`, `lock`. The home is the folder the
//! caller names; when root calls and the unprivileged user cannot enter that folder, it is `/var/tmp/deodar-<hash>` and the
//! file `location` says so. `start` works from whatever an earlier run left behind: half an `initdb`, a crashed server, a
//! server that outlived us.
//!
//! Why no library: the known ones download binaries or cannot give up root, and `initdb` and `postgres` refuse root.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

const SUPERUSER: &str = "deodar";
const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(25);
const CTYPE: &str = if cfg!(target_os = "macos") { "en_US.UTF-8" } else { "C.UTF-8" };
/// Given on the command line, so that they hold for clusters of earlier versions too.
const SETTINGS: &str = "listen_addresses=127.0.0.1 unix_socket_directories= fsync=on shared_buffers=32MB max_connections=100 \
     max_wal_size=256MB wal_level=minimal max_wal_senders=0 max_parallel_workers_per_gather=0 jit=off logging_collector=off \
     log_destination=stderr lc_messages=C timezone=UTC log_timezone=UTC";
/// What a server says that may find its port or its shared memory free in a moment.
const TRANSIENT: [&str; 3] = ["Address already in use", "could not create any TCP/IP sockets", "is still in use"];

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(
        "no PostgreSQL server found: install `postgresql` (Debian, Ubuntu, Homebrew) or `postgresql-server` (Fedora)"
    )]
    Missing,
    #[error("root cannot run PostgreSQL, and there is no user `postgres` or `nobody` to run it as")]
    NoUser,
    #[error("`{0}` belongs to someone else")]
    Foreign(PathBuf),
    #[error("another process is using the cluster in `{0}`")]
    Busy(PathBuf),
    #[error("`{program}` failed: {output}")]
    Program { program: &'static str, output: String },
    #[error("the server {what}; `{log}` ends with:\n{tail}")]
    Start { what: &'static str, log: PathBuf, tail: String },
    #[error("cannot {verb} `{path}`")]
    Io { verb: &'static str, path: PathBuf, source: io::Error },
}

/// A running cluster. Dropping it leaves the server running: the next `start` rejoins it.
#[derive(Debug)]
pub struct Cluster {
    home: PathBuf,
    data: PathBuf,
    bin: PathBuf,
    user: Option<(u32, u32)>,
    password: String,
    port: u16,
    child: Option<Child>,
    /// Held as long as we live: one process per cluster.
    _lock: File,
}

/// Creates, restarts or rejoins the cluster that lives under `dir`.
pub async fn start(dir: &Path) -> Result<Cluster, Error> {
    let mut cluster = Cluster::open(dir).await?;
    if !cluster.data.try_exists().map_err(failed("find", &cluster.data))? {
        cluster.create().await?;
    }
    let file = cluster.home.join("password");
    cluster.password = fs::read_to_string(&file).map_err(failed("read", &file))?.trim().to_owned();
    if !cluster.rejoin().await? {
        cluster.launch().await?;
    }
    Ok(cluster)
}

/// Stops the cluster that lives under `dir`, if it runs, and deletes it with its data.
pub async fn remove(dir: &Path) -> Result<(), Error> {
    Cluster::open(dir).await?.wipe().await
}

impl Cluster {
    /// A superuser's URL of a database, which need not exist yet; `postgres` always does.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://{SUPERUSER}:{}@127.0.0.1:{}/{database}", self.password, self.port)
    }

    /// Ends open connections, stops the server and waits until it is gone.
    pub async fn stop(mut self) -> Result<(), Error> {
        self.shut_down().await?;
        if let Some(child) = &mut self.child {
            child.wait().await.map_err(failed("wait for", &self.data))?;
        }
        Ok(())
    }

    /// Finds the home, locks it, and says as whom and with which programs the server runs.
    async fn open(dir: &Path) -> Result<Cluster, Error> {
        let bin = programs().await.ok_or(Error::Missing)?;
        fs::create_dir_all(dir).map_err(failed("create", dir))?;
        let dir = dir.canonicalize().map_err(failed("find", dir))?;
        let root = id("-u", None).await == Some(0);
        let mut user = if root { Some(unprivileged().await.ok_or(Error::NoUser)?) } else { None };
        let location = dir.join("location");
        let remembered = fs::read_to_string(&location).ok().map(|path| PathBuf::from(path.trim()));
        let home = match (&remembered, user) {
            (Some(home), _) => home.clone(),
            (None, Some(user)) if !enters(&dir, user).await => {
                Path::new("/var/tmp").join(format!("deodar-{:016x}", hash(&dir)))
            }
            (None, _) => dir.clone(),
        };
        if home != dir {
            // Others may write to /var/tmp: take nothing there that they made.
            let made = DirBuilder::new().mode(0o711).create(&home);
            if made.is_err() && !fs::symlink_metadata(&home).is_ok_and(|found| found.is_dir() && found.uid() == 0) {
                return Err(Error::Foreign(home));
            }
        }
        let lock = home.join("lock");
        let lock = OpenOptions::new().create(true).append(true).open(&lock).map_err(failed("open", &lock))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Error::Busy(home)),
            Err(TryLockError::Error(source)) => return Err(failed("lock", &home)(source)),
        }
        let data = home.join("data");
        if let (true, Ok(found)) = (root, fs::metadata(&data)) {
            user = Some((found.uid(), found.gid())).filter(|(uid, _)| *uid != 0).or(user);
        }
        let cluster = Cluster { home, data, bin, user, password: String::new(), port: 0, child: None, _lock: lock };
        if cluster.home != dir && remembered.is_none() {
            cluster.wipe().await?; // what is there belonged to a folder that was deleted
            fs::write(&location, cluster.home.as_os_str().as_encoded_bytes()).map_err(failed("write", &location))?;
        }
        Ok(cluster)
    }

    /// Makes the cluster beside its place and renames it: `data` is whole or absent.
    async fn create(&self) -> Result<(), Error> {
        self.wipe().await?;
        let file = self.home.join("password");
        let mut random = [0; 24];
        let read = File::open("/dev/urandom").and_then(|mut source| source.read_exact(&mut random));
        read.map_err(failed("read", "/dev/urandom"))?;
        let password: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        let written = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&file);
        written.and_then(|mut file| file.write_all(password.as_bytes())).map_err(failed("write", &file))?;
        // An initdb that outlived us may still write to its own folder: never share one.
        let staging = self.home.join(format!("data.new-{}", &password[..8]));
        DirBuilder::new().mode(0o700).create(&staging).map_err(failed("create", &staging))?;
        if let Some((uid, gid)) = self.user {
            for path in [&file, &staging] {
                chown(path, Some(uid), Some(gid)).map_err(failed("change the owner of", path))?;
            }
        }
        let (staging_arg, file_arg) = (staging.to_string_lossy(), file.to_string_lossy());
        let locale = format!("--lc-ctype={CTYPE}");
        let how = ["-U", SUPERUSER, "--auth=scram-sha-256", "-E", "UTF8", "--locale=C", &locale];
        let out = self.command("initdb").args(["-D", &staging_arg, "--pwfile", &file_arg]).args(how).output().await;
        let out = out.map_err(failed("run", self.bin.join("initdb")))?;
        if !out.status.success() {
            let output = String::from_utf8_lossy(&out.stderr).trim().to_owned();
            return Err(Error::Program { program: "initdb", output });
        }
        fs::rename(&staging, &self.data).map_err(failed("rename", &staging))?;
        File::open(&self.home).and_then(|home| home.sync_all()).map_err(failed("sync", &self.home))
    }

    /// Takes over a server of an earlier run if it proves to be ours and answers; stops it if it does not.
    async fn rejoin(&mut self) -> Result<bool, Error> {
        let deadline = Instant::now() + PATIENCE;
        while let Some((pid, port, status)) = self.running().await? {
            let patient = Instant::now() < deadline;
            match status.as_str() {
                "ready" if self.answers(port).await => {
                    self.port = port;
                    return Ok(true);
                }
                "starting" | "stopping" if patient => sleep(POLL).await,
                _ => {
                    tracing::warn!(pid, "a PostgreSQL of an earlier run does not answer: stopping it");
                    self.shut_down().await?;
                }
            }
        }
        Ok(false)
    }

    async fn launch(&mut self) -> Result<(), Error> {
        let (path, deadline) = (self.home.join("postgres.log"), Instant::now() + PATIENCE);
        drop(fs::rename(&path, self.home.join("postgres.log.old"))); // there is none at the first start
        let saved = self.home.join("port");
        let mut wish = fs::read_to_string(&saved).ok().and_then(|port| port.trim().parse().ok()).unwrap_or(0);
        loop {
            self.port = free_port(wish).or_else(|_| free_port(0)).map_err(failed("listen on", "127.0.0.1"))?;
            wish = 0;
            let log = File::create(&path).map_err(failed("create", &path))?;
            let mut postgres = self.command("postgres");
            postgres.arg("-D").arg(&self.data).arg("-p").arg(self.port.to_string());
            postgres.args(SETTINGS.split_whitespace().flat_map(|setting| ["-c", setting]));
            postgres.stdout(log.try_clone().map_err(failed("open", &path))?).stderr(log);
            // Its own group: Ctrl-C is for us, and we stop it in order. Unlike the other programs it may outlive us.
            let child = postgres.process_group(0).kill_on_drop(false).spawn();
            let mut child = child.map_err(failed("run", self.bin.join("postgres")))?;
            let what = loop {
                if child.try_wait().map_err(failed("wait for", &self.data))?.is_some() {
                    break "ended at once";
                }
                let found = self.postmaster().filter(|(pid, _, status)| Some(*pid) == child.id() && status == "ready");
                if found.is_some() && self.answers(self.port).await {
                    self.child = Some(child);
                    return fs::write(&saved, self.port.to_string()).map_err(failed("write", &saved));
                }
                if Instant::now() > deadline {
                    self.shut_down().await?;
                    break "was not ready in time";
                }
                sleep(POLL).await;
            };
            let text = String::from_utf8_lossy(&fs::read(&path).unwrap_or_default()).into_owned();
            if Instant::now() > deadline || !TRANSIENT.iter().any(|line| text.contains(line)) {
                let lines: Vec<&str> = text.lines().collect();
                return Err(Error::Start { what, log: path, tail: lines[lines.len().saturating_sub(15)..].join("\n") });
            }
            sleep(POLL * 8).await;
        }
    }

    /// The server that runs on our data. Forgets a `postmaster.pid` whose number is dead or means another process by now.
    async fn running(&self) -> Result<Option<(u32, u16, String)>, Error> {
        let Some(found) = self.postmaster() else { return Ok(None) };
        let pid = found.0.to_string();
        let mut ps = Command::new("ps");
        let arguments = match fs::read(format!("/proc/{pid}/cmdline")) {
            Ok(bytes) => bytes,
            Err(_) => ps.args(["-ww", "-o", "args=", "-p", &pid]).output().await.map_or(Vec::new(), |out| out.stdout),
        };
        if String::from_utf8_lossy(&arguments).contains(&*self.data.to_string_lossy()) {
            return Ok(Some(found));
        }
        let file = self.data.join("postmaster.pid");
        match fs::remove_file(&file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed("remove", &file)(error)),
            _ => Ok(None),
        }
    }

    /// Process, port and status as the server itself wrote them down.
    fn postmaster(&self) -> Option<(u32, u16, String)> {
        let text = fs::read_to_string(self.data.join("postmaster.pid")).ok()?;
        let line = |number| text.lines().nth(number).map_or("", str::trim);
        Some((line(0).parse().ok()?, line(3).parse().unwrap_or(0), line(7).to_owned()))
    }

    /// Whether the server on that port knows our password and serves our data.
    async fn answers(&self, port: u16) -> bool {
        let mut psql = self.command("psql");
        psql.args(["-XAtw", "-h", "127.0.0.1", "-U", SUPERUSER, "-d", "postgres", "-c", "show data_directory", "-p"]);
        psql.arg(port.to_string()).env("PGPASSWORD", &self.password).env("PGCONNECT_TIMEOUT", "5");
        let Ok(Ok(out)) = timeout(Duration::from_secs(10), psql.output()).await else { return false };
        out.status.success() && String::from_utf8_lossy(&out.stdout).trim() == self.data.to_string_lossy()
    }

    async fn shut_down(&self) -> Result<(), Error> {
        let mut output = String::new();
        for (mode, seconds) in [("fast", "10"), ("immediate", "5"), ("kill", "")] {
            let Some((pid, ..)) = self.running().await? else { return Ok(()) };
            let mut pg_ctl = self.command("pg_ctl");
            match mode {
                "kill" => pg_ctl.args(["kill", "KILL", &pid.to_string()]),
                _ => pg_ctl.args(["stop", "-s", "-w", "-t", seconds, "-m", mode, "-D"]).arg(&self.data),
            };
            let out = pg_ctl.output().await.map_err(failed("run", self.bin.join("pg_ctl")))?;
            output = String::from_utf8_lossy(&out.stderr).trim().to_owned();
        }
        sleep(POLL * 4).await;
        if self.running().await?.is_some() { Err(Error::Program { program: "pg_ctl", output }) } else { Ok(()) }
    }

    /// Deletes the cluster and the remains of interrupted ones.
    async fn wipe(&self) -> Result<(), Error> {
        self.shut_down().await?;
        for entry in fs::read_dir(&self.home).map_err(failed("read", &self.home))?.flatten() {
            match entry.file_name().to_string_lossy().as_ref() {
                "data" => fs::remove_dir_all(entry.path()).map_err(failed("delete", entry.path()))?,
                "password" | "port" => fs::remove_file(entry.path()).map_err(failed("delete", entry.path()))?,
                name if name.starts_with("data.new-") => drop(fs::remove_dir_all(entry.path())),
                _ => {}
            }
        }
        Ok(())
    }

    /// One of PostgreSQL's programs, untouched by the `PG…` variables of whoever started us.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.bin.join(program));
        command.env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C").current_dir(&self.home);
        command.stdin(Stdio::null()).kill_on_drop(true);
        if let Some((uid, gid)) = self.user {
            command.uid(uid).gid(gid);
        }
        command
    }
}

/// The folder of the server's programs: the one on the PATH, else the newest where packages put them.
async fn programs() -> Option<PathBuf> {
    let found = Command::new("sh").args(["-c", "command -v initdb"]).output().await.ok()?;
    let found = Path::new(str::from_utf8(&found.stdout).ok()?.trim()).canonicalize();
    let mut folders: Vec<(f32, PathBuf)> = found.iter().map(|it| (f32::MAX, it.with_file_name(""))).collect();
    let (debian, rpm, brew) = (("/usr/lib/postgresql", ""), ("/usr", "pgsql-"), "postgresql@");
    for (parent, prefix) in [debian, rpm, ("/opt/homebrew/opt", brew), ("/usr/local/opt", brew)] {
        folders.extend(fs::read_dir(parent).into_iter().flatten().flatten().filter_map(|entry| {
            let version = entry.file_name().to_str()?.strip_prefix(prefix)?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        }));
    }
    folders.sort_by(|one, other| other.0.total_cmp(&one.0));
    let whole = |bin: &PathBuf| ["initdb", "postgres", "pg_ctl", "psql"].iter().all(|name| bin.join(name).is_file());
    folders.into_iter().map(|(_, bin)| bin).find(whole)
}

/// The user and group that root runs the server as.
async fn unprivileged() -> Option<(u32, u32)> {
    for name in ["postgres", "nobody"] {
        if let (Some(uid), Some(gid)) = (id("-u", Some(name)).await, id("-g", Some(name)).await) {
            return Some((uid, gid));
        }
    }
    None
}

async fn id(what: &str, name: Option<&str>) -> Option<u32> {
    let out = Command::new("id").arg(what).args(name).output().await.ok()?;
    String::from_utf8(out.stdout).ok()?.trim().parse().ok()
}

/// Whether that user can be in that folder: tried, because modes do not tell all.
async fn enters(dir: &Path, (uid, gid): (u32, u32)) -> bool {
    Command::new("true").current_dir(dir).uid(uid).gid(gid).status().await.is_ok()
}

fn free_port(wish: u16) -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, wish))?.local_addr()?.port())
}

/// FNV-1a, to name a folder.
fn hash(path: &Path) -> u64 {
    let bytes = path.as_os_str().as_encoded_bytes();
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

fn failed(verb: &'static str, path: impl AsRef<Path>) -> impl FnOnce(io::Error) -> Error {
    let path = path.as_ref().to_owned();
    move |source| Error::Io { verb, path, source }
}
