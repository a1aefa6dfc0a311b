//! Ctrl-C: the first one asks the command to come to an end, the second one ends the process.

use std::sync::Arc;

use tokio::sync::Notify;

use crate::exit::Code;

/// A wish to stop. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Interrupt {
    asked: Arc<std::sync::atomic::AtomicBool>,
    notify: Arc<Notify>,
}

impl Interrupt {
    /// Listens for Ctrl-C (and on Unix for SIGTERM, which a service manager sends).
    pub(crate) fn listen() -> Interrupt {
        let interrupt = Interrupt { asked: Arc::default(), notify: Arc::default() };
        let listener = interrupt.clone();
        tokio::spawn(async move {
            loop {
                if signal().await.is_err() {
                    return;
                }
                if listener.asked.swap(true, std::sync::atomic::Ordering::SeqCst) {
                    std::process::exit(Code::Interrupted as i32);
                }
                listener.notify.notify_waiters();
            }
        });
        interrupt
    }

    /// True once somebody asked.
    pub(crate) fn is_asked(&self) -> bool {
        self.asked.load(std::sync::atomic::Ordering::SeqCst)
    }

    /// Resolves once somebody asks.
    pub(crate) async fn asked(&self) {
        let waiting = self.notify.notified();
        tokio::pin!(waiting);
        // Registered before the flag is read: a signal between the two is not lost.
        waiting.as_mut().enable();
        if !self.is_asked() {
            waiting.await;
        }
    }
}

#[cfg(unix)]
async fn signal() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        done = tokio::signal::ctrl_c() => done,
        _ = terminate.recv() => Ok(()),
    }
}

#[cfg(not(unix))]
async fn signal() -> std::io::Result<()> {
    tokio::signal::ctrl_c().await
}
