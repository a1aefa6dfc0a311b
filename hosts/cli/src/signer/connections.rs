//! Connections: how many there may be, how long they may be silent, and how they end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ConnectInfo;
use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::exit::Outcome;
use crate::interrupt::Interrupt;

/// Bounds of what clients may hold open.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Connections at once; another one waits until one of them ends.
    pub(crate) connections: usize,
    /// How long the head of a request may take.
    pub(crate) head: Duration,
    /// How long answers that are under way may go on when the server is to end.
    pub(crate) grace: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { connections: 1_024, head: Duration::from_secs(10), grace: Duration::from_secs(5) }
    }
}

/// After an error of the system, such as too many open files.
const PAUSE: Duration = Duration::from_millis(50);

/// Serves until somebody wants it to end; that is a success.
pub(crate) async fn run(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    interrupt: Interrupt,
) -> Outcome {
    let room = Arc::new(Semaphore::new(limits.connections));
    let graceful = GracefulShutdown::new();
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(limits.head);
    loop {
        let accepted = async {
            // Never closed, so it is always given.
            let place = room.clone().acquire_owned().await;
            (listener.accept().await, place)
        };
        let (accepted, place) = tokio::select! {
            biased;
            () = interrupt.asked() => break,
            accepted = accepted => accepted,
        };
        let (stream, client): (_, SocketAddr) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let service = TowerToHyperService::new(router.clone().layer(Extension(ConnectInfo(client))));
        let connection = graceful.watch(http.serve_connection(TokioIo::new(stream), service));
        tokio::spawn(async move {
            // How a client ends its connection is its own affair.
            if let Err(error) = connection.await {
                tracing::debug!(%client, %error, "a connection broke off");
            }
            drop(place);
        });
    }
    drop(listener);
    let _ = tokio::time::timeout(limits.grace, graceful.shutdown()).await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::*;

    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n";

    async fn answer(stream: &mut TcpStream) -> String {
        let mut text = String::new();
        // A connection that is cut may end with an error, too.
        let _ = stream.read_to_string(&mut text).await;
        text
    }

    #[tokio::test]
    async fn the_silent_are_cut_off_and_make_room() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let limits = Limits { connections: 2, head: Duration::from_millis(200), ..Limits::default() };
        let router = Router::new().route("/", get(async || "served"));
        let server = tokio::spawn(run(listener, router, limits, Interrupt::listen()));
        let begun = Instant::now();
        let mut silent = TcpStream::connect(address).await.unwrap();
        let mut slow = TcpStream::connect(address).await.unwrap();
        slow.write_all(b"GET / HTTP/1.1\r\nhost:").await.unwrap();
        // There is no room until one of them is gone.
        let mut third = TcpStream::connect(address).await.unwrap();
        third.write_all(REQUEST).await.unwrap();
        assert!(answer(&mut third).await.ends_with("served"));
        assert!(begun.elapsed() >= Duration::from_millis(150), "{:?}", begun.elapsed());
        assert!(!answer(&mut silent).await.contains("200 OK"));
        assert!(!answer(&mut slow).await.contains("200 OK"));
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
        server.abort();
    }
}
