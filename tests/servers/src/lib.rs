//! What tests need from outside: object stores on this machine, [`Gateway`] in this process, the real ones each started by a script of this folder and killed when
//! its [`Server`] is dropped, or when the process that holds it dies; and programs, by [`tool`].

mod faults;
mod gateway;
mod http;

pub use faults::{Cut, Faults, Proxy};
pub use gateway::Gateway;

use std::collections::BTreeMap;
use std::fmt;
use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// The bucket that every server has.
pub const BUCKET: &str = "isledb";

/// Which server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// S3 by versitygw. Needs Go.
    Versitygw,
    /// S3 by MinIO. Needs Go, and minutes to build it the first time.
    Minio,
    /// S3 by Ceph's gateway. Needs Debian's packages, and the right to install them.
    Ceph,
    /// S3 by MiniStack. Needs Python.
    Ministack,
    /// Azure Blob Storage by Azurite. Needs Node.
    Azurite,
    /// Google Cloud Storage by the emulator in `gcs/`. Needs Go.
    Gcs,
    /// A TCP proxy with faults, for [`Proxy::start`]. Needs Go.
    Toxiproxy,
    /// An HTTP proxy with faults, for [`Proxy::start`]. Needs Debian's package, and the right to install it.
    Haproxy,
}

impl Kind {
    fn script(self) -> &'static str {
        match self {
            Kind::Versitygw => "versitygw.sh",
            Kind::Minio => "minio.sh",
            Kind::Ceph => "ceph.sh",
            Kind::Ministack => "ministack.sh",
            Kind::Azurite => "azurite.sh",
            Kind::Gcs => "gcs.sh",
            Kind::Toxiproxy => "toxiproxy.sh",
            Kind::Haproxy => "haproxy.sh",
        }
    }
}

/// Why there is no server, or no tool.
#[derive(Debug, Clone)]
pub enum NoServer {
    /// This machine cannot have it: skip by name, with this reason. [`in_ci`] says when that is a failure.
    Cannot(String),
    /// It should have started, and did not.
    Failed(String),
}

impl fmt::Display for NoServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NoServer::Cannot(reason) => write!(f, "not on this machine: {reason}"),
            NoServer::Failed(reason) => write!(f, "did not start: {reason}"),
        }
    }
}

/// True where nothing may be skipped that a machine with Go, Node and Python can have.
pub fn in_ci() -> bool {
    std::env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false")
}

/// The path of a program that `tests/setup.sh` installs, installed now if need be (minutes, the first time on a machine).
pub fn tool(name: &str) -> Result<PathBuf, NoServer> {
    let setup = Path::new(env!("CARGO_MANIFEST_DIR")).join("../setup.sh");
    let output = Command::new(&setup)
        .args(["where", name])
        .stdin(Stdio::null())
        .output()
        .map_err(|error| NoServer::Failed(format!("{}: {error}", setup.display())))?;
    if output.status.success() {
        return Ok(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()));
    }
    Err(NoServer::Cannot(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
}

/// A running server.
pub struct Server {
    kind: Kind,
    variables: BTreeMap<String, String>,
    folder: PathBuf,
    script: Child,
    // The script kills the server when this end is closed, also by the death of this process.
    life: Option<ChildStdin>,
}

impl Server {
    /// Installs the server if need be (minutes, the first time on a machine), starts it on a free port with an empty bucket
    /// [`BUCKET`], and returns when it serves.
    pub fn start(kind: Kind) -> Result<Server, NoServer> {
        Server::start_before(kind, None)
    }

    fn start_before(kind: Kind, upstream: Option<&str>) -> Result<Server, NoServer> {
        // A free port can be taken by somebody else before the server binds it; then another one is tried.
        let mut last = None;
        for _ in 0..3 {
            match Server::start_on(kind, free_port()?, upstream) {
                Err(NoServer::Failed(reason)) => last = Some(NoServer::Failed(reason)),
                decided => return decided,
            }
        }
        Err(last.unwrap_or_else(|| NoServer::Failed("no port is free".to_owned())))
    }

    fn start_on(kind: Kind, port: u16, upstream: Option<&str>) -> Result<Server, NoServer> {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let failed = |what: &str, error: std::io::Error| NoServer::Failed(format!("{what}: {error}"));
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("isledb-{kind:?}-{}-{number}", std::process::id()));
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(kind.script());
        let mut script = Command::new(&path)
            .arg(&folder)
            .arg(port.to_string())
            .args(upstream)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| failed(kind.script(), error))?;
        let (life, output, errors) = (script.stdin.take(), script.stdout.take(), script.stderr.take());
        let mut server = Server { kind, variables: BTreeMap::new(), folder, script, life };
        // Read beside the output: a full pipe would stop the script. It says which installation is waited for.
        let errors = std::thread::spawn(move || {
            let mut all = String::new();
            for line in
                errors.into_iter().flat_map(|errors| BufReader::new(errors).lines()).map_while(Result::ok)
            {
                eprintln!("{kind:?}: {line}");
                all.push_str(&line);
                all.push('\n');
            }
            all
        });
        for line in output.into_iter().flat_map(|output| BufReader::new(output).lines()).map_while(Result::ok)
        {
            match line.split_once('=') {
                Some((name, value)) => {
                    server.variables.insert(name.to_owned(), value.to_owned());
                }
                None if line == "ready" => return Ok(server),
                None => {}
            }
        }
        let status = server.script.wait().map_err(|error| failed(kind.script(), error))?;
        let reason = errors.join().unwrap_or_default().trim().to_owned();
        match status.code() {
            Some(3) => Err(NoServer::Cannot(reason)),
            _ => Err(NoServer::Failed(format!("{status}: {reason}"))),
        }
    }

    /// Which server it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What a client needs, by the names of the environment variables that carry it; and `URL`, the bucket.
    pub fn variables(&self) -> &BTreeMap<String, String> {
        &self.variables
    }

    /// One of [`Server::variables`].
    ///
    /// # Panics
    /// If the script of this server does not print it.
    pub fn variable(&self, name: &str) -> &str {
        self.variables
            .get(name)
            .unwrap_or_else(|| panic!("{:?} has no {name}: {:?}", self.kind, self.variables))
    }

    /// What the server wrote to its log so far.
    pub fn log(&self) -> String {
        let mut text = Vec::new();
        if let Ok(mut file) = std::fs::File::open(self.folder.join("log")) {
            // A log that cannot be read is an empty one: it is only shown.
            let _ = file.read_to_end(&mut text);
        }
        String::from_utf8_lossy(&text).into_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.life = None;
        let _ = self.script.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn free_port() -> Result<u16, NoServer> {
    let port = TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
    port.map(|address| address.port()).map_err(|error| NoServer::Failed(format!("no port is free: {error}")))
}
