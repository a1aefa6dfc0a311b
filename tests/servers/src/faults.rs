//! Proxies before a server, and the faults that they make.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::{Kind, NoServer, Server};

/// The variables that may name the server.
const ENDPOINTS: [&str; 2] = ["AWS_ENDPOINT", "AZURE_STORAGE_ENDPOINT"];
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// What [`Kind::Haproxy`] does to requests: each is drawn for itself. By default nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Faults {
    /// So many of a thousand are refused by 503, and the server does not see them.
    pub refused: u16,
    /// So many of a thousand are done and then answered by 500.
    pub lost: u16,
    /// So many of a thousand are done and never answered.
    pub silent: u16,
    /// What each waits, in milliseconds.
    pub base_ms: u16,
    /// The mean of what it waits on top, exponentially distributed, in milliseconds.
    pub jitter_ms: u16,
}

/// What [`Kind::Toxiproxy`] does to connections, until it does something else. It knows nothing of requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// The server does what is asked of it, and its answers come to nobody.
    Answers,
    /// What is asked reaches nobody; the connection breaks after so many milliseconds.
    Requests(u16),
    /// Connections break, by a reset, when the answer comes.
    Reset,
    /// They break when an answer has had so many bytes.
    After(u32),
    /// So many kilobytes pass in a second.
    Slow(u32),
}

impl Cut {
    fn toxic(self) -> String {
        let (kind, stream, attributes) = match self {
            Cut::Answers => ("timeout", "downstream", r#""timeout":0"#.to_owned()),
            Cut::Requests(ms) => ("timeout", "upstream", format!(r#""timeout":{ms}"#)),
            Cut::Reset => ("reset_peer", "downstream", r#""timeout":0"#.to_owned()),
            Cut::After(bytes) => ("limit_data", "downstream", format!(r#""bytes":{bytes}"#)),
            Cut::Slow(rate) => ("bandwidth", "downstream", format!(r#""rate":{rate}"#)),
        };
        format!(r#"{{"name":"cut","type":"{kind}","stream":"{stream}","attributes":{{{attributes}}}}}"#)
    }
}

/// A proxy before a server.
pub struct Proxy {
    proxy: Server,
    variables: BTreeMap<String, String>,
}

impl Proxy {
    /// Starts [`Kind::Haproxy`] or [`Kind::Toxiproxy`] before a server. It lets everything pass until it is told otherwise.
    ///
    /// # Panics
    /// If the server is none that a client finds by an endpoint.
    pub fn start(kind: Kind, server: &Server) -> Result<Proxy, NoServer> {
        let mut variables = server.variables().clone();
        let name = ENDPOINTS.iter().find(|name| variables.contains_key(**name));
        let name = *name.unwrap_or_else(|| panic!("{:?} has no endpoint", server.kind()));
        let (upstream, path) = host_and_path(server.variable(name));
        let proxy = Server::start_before(kind, Some(&upstream))?;
        variables.insert(name.to_owned(), format!("{}{path}", proxy.variable("ENDPOINT")));
        Ok(Proxy { proxy, variables })
    }

    /// Which proxy.
    pub fn kind(&self) -> Kind {
        self.proxy.kind()
    }

    /// What a client needs to come to the server by way of the proxy, as [`Server::variables`].
    pub fn variables(&self) -> &BTreeMap<String, String> {
        &self.variables
    }

    /// From the next request on, of [`Kind::Haproxy`].
    #[cfg(unix)]
    pub fn set(&self, faults: Faults) -> io::Result<()> {
        let Faults { refused, lost, silent, base_ms, jitter_ms } = faults;
        let mut control = std::os::unix::net::UnixStream::connect(self.proxy.variable("HAPROXY"))?;
        control.set_read_timeout(Some(ANSWER_TIMEOUT))?;
        writeln!(
            control,
            "experimental-mode on; set var proc.refused int({refused}); set var proc.lost int({lost}); \
             set var proc.silent int({silent}); set var proc.base_ms int({base_ms}); set var proc.jitter_ms int({jitter_ms})"
        )?;
        let mut answer = String::new();
        control.read_to_string(&mut answer)?;
        match answer.trim() {
            "" => Ok(()),
            refusal => Err(io::Error::other(refusal.to_owned())),
        }
    }

    /// Of [`Kind::Toxiproxy`], for the connections that are open and for new ones. `None` lets all pass again.
    pub fn cut(&self, cut: Option<Cut>) -> io::Result<()> {
        match self.toxiproxy("DELETE", "/proxies/server/toxics/cut", "")? {
            200..=299 | 404 => {}
            status => return Err(io::Error::other(format!("the toxic stays: {status}"))),
        }
        let Some(cut) = cut else { return Ok(()) };
        match self.toxiproxy("POST", "/proxies/server/toxics", &cut.toxic())? {
            200..=299 => Ok(()),
            status => Err(io::Error::other(format!("{cut:?}: {status}"))),
        }
    }

    /// The status of the answer.
    fn toxiproxy(&self, method: &str, path: &str, body: &str) -> io::Result<u16> {
        let (host, _) = host_and_path(self.proxy.variable("TOXIPROXY"));
        let mut stream = TcpStream::connect(&host)?;
        stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
        let length = body.len();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nhost: {host}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
        status.ok_or_else(|| io::Error::other(format!("no answer of HTTP: {answer:?}")))
    }
}

/// `http://HOST:PORT/PATH` as `HOST:PORT` and `/PATH`.
fn host_and_path(url: &str) -> (String, String) {
    let rest = url.trim_start_matches("http://");
    let at = rest.find('/').unwrap_or(rest.len());
    (rest[..at].to_owned(), rest[at..].to_owned())
}
