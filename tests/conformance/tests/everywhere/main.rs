//! The lists of cases natively, over every store that this machine has: memory, a folder, S3, Azure, Google Cloud Storage.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a case fails by a panic")]

mod harness;

use std::process::ExitCode;

use harness::Host;

fn main() -> ExitCode {
    harness::run(&Host {
        name: "native",
        stores: &[],
        run: |_, case, place| {
            Box::pin(async move {
                (case.run)(place).await;
                Ok(())
            })
        },
    })
}
