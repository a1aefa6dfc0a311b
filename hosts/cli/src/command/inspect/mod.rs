//! `isledb inspect`.

mod page;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::header::HOST;
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use axum::routing::get;
use clap::Args as Flags;
use isledb::TokioHost;
use isledb::host::Host;
use subtle::ConstantTimeEq;

use self::page::Page;
use super::Context;
use crate::args::Database;
use crate::connection::Connection;
use crate::exit::Outcome;
use crate::json::Line;
use crate::output::{self, KEY};
use crate::signer::{self, Limits, Refusal};

/// Serve the inspector on a database, and print the link to it
#[derive(Debug, Flags)]
#[command(after_help = "\
A page for the browser of this machine: tables and runs, keys and values, why a key has its value, a
live tail, and what each of these costs. The bucket's credentials stay with this process, which passes
objects of this one database on, for reading, to whoever has the link: its long number is made anew
each time. Nothing is written. Ctrl-C ends it; that is a success.

Examples:
  isledb inspect ./db --open
  isledb inspect s3://bucket/db
  isledb inspect gs://bucket/db --listen 127.0.0.1:9000 --json")]
pub(crate) struct Args {
    #[command(flatten)]
    database: Database,
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Open the link in the browser
    #[arg(long)]
    open: bool,
    /// Serve the page from this folder, not the one that was built in
    #[arg(long, value_name = "DIR")]
    www: Option<PathBuf>,
}

/// What the requests share.
struct Inspector {
    page: Page,
    connection: Connection,
    /// Who knows it may read.
    secret: String,
    /// The names by which this server may be asked.
    hosts: [String; 2],
}

pub(crate) async fn run(args: Args, context: &mut Context) -> Outcome {
    let page = Page::find(args.www)?;
    let connection = context.connect(args.database.url())?;
    // A wrong address is better said here than in the page.
    connection.manifest_view().await?;
    let (listener, address) = signer::listen(args.listen).await?;
    let mut random = [0; 16];
    TokioHost::new().fill_random(&mut random);
    let secret = hex::encode(random);
    let localhost = format!("localhost:{}", address.port());
    let host = if address.ip().is_unspecified() { localhost.clone() } else { address.to_string() };
    let link = format!("http://{host}/#url={}", component(&format!("http://{host}/b/{secret}")));
    let inspector = Inspector { page, connection, secret, hosts: [host, localhost] };
    let out = &mut context.out;
    if out.is_json() {
        out.json(Line::new().field("listening", address.to_string()).field("link", &link))?;
    } else {
        let shown = out.paint(KEY, &link);
        out.line(shown)?;
    }
    out.flush()?;
    if args.open && !open(&link) {
        output::note("note: no browser could be started: open the link yourself");
    }
    signer::run(listener, router(Arc::new(inspector)), Limits::default(), context.interrupt.clone()).await
}

fn router(inspector: Arc<Inspector>) -> Router {
    let refuse = || async {
        Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "method", "there is nothing but reading here")
    };
    Router::new()
        .route("/", get(index).fallback(refuse))
        .route("/b/{secret}/{*key}", get(object).fallback(refuse))
        .route("/{*path}", get(file).fallback(refuse))
        .layer(axum::middleware::from_fn_with_state(inspector.clone(), known_host))
        .layer(axum::middleware::from_fn(signer::log))
        .with_state(inspector)
}

/// A page elsewhere may have its own name lead to this machine; it cannot have this one's.
async fn known_host(
    State(inspector): State<Arc<Inspector>>,
    request: Request,
    next: Next,
) -> Result<Response, Refusal> {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    if inspector.hosts.iter().any(|known| known == host) {
        return Ok(next.run(request).await);
    }
    Err(Refusal::forbidden().because(format!("asked as {host:?}")))
}

async fn index(State(inspector): State<Arc<Inspector>>) -> Result<Response, Refusal> {
    inspector.page.answer("")
}

async fn file(
    State(inspector): State<Arc<Inspector>>,
    Path(path): Path<String>,
) -> Result<Response, Refusal> {
    inspector.page.answer(&path)
}

/// An object of the database, by its name below the prefix.
async fn object(
    State(inspector): State<Arc<Inspector>>,
    Path((secret, key)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let layout = inspector.connection.layout();
    let known: bool = secret.as_bytes().ct_eq(inspector.secret.as_bytes()).into();
    let name = layout.full(&key);
    match layout.kind_of(&name).filter(|kind| known && kind.is_read()) {
        Some(kind) => {
            let store = &inspector.connection.requests().store;
            signer::get_object(&**store, &name, kind, &headers).await
        }
        None if known => Err(Refusal::not_found()),
        None => Err(Refusal::forbidden().because("a wrong number in the link")),
    }
}

/// As `encodeURIComponent` does, as far as an address needs it.
fn component(url: &str) -> String {
    url.replace(':', "%3A").replace('/', "%2F").replace('[', "%5B").replace(']', "%5D")
}

/// Hands the link to the desktop. It is no argument that a shell reads.
fn open(link: &str) -> bool {
    let (program, arguments): (&str, &[&str]) = match std::env::consts::OS {
        "macos" => ("open", &[]),
        "windows" => ("rundll32", &["url.dll,FileProtocolHandler"]),
        _ => ("xdg-open", &[]),
    };
    let mut command = std::process::Command::new(program);
    command.args(arguments).arg(link);
    command
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null());
    command.spawn().is_ok()
}
