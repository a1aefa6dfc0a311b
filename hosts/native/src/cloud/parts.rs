//! Sending a part of an upload again.

use std::time::Duration;

use async_trait::async_trait;
use object_store::retry::{RetryContext, RetryFailure, RetryPolicy};

/// How often a part is sent at most.
const MAX_ATTEMPTS: usize = 5;
/// Upper bound of the pause after the first failure; it doubles.
const FIRST_DELAY: Duration = Duration::from_millis(100);

/// Sends a part again where the store did not take it. A part is invisible until the upload is completed, and its number
/// says what it replaces, so this hides no outcome; and one busy server need not cost a whole upload.
#[derive(Debug)]
pub(super) struct PartRetry;

#[async_trait]
impl RetryPolicy for PartRetry {
    async fn retry(&self, context: RetryContext) -> bool {
        let may_pass = match context.failure {
            RetryFailure::Status(status) => status.as_u16() == 429 || status.is_server_error(),
            // Refusals of our connector come as transport failures, permanent ones too: few attempts cost little.
            RetryFailure::Transport(_) => true,
            _ => false,
        };
        if !may_pass || context.attempt >= MAX_ATTEMPTS {
            return false;
        }
        let bound = FIRST_DELAY.as_millis() as u64 * (1 << (context.attempt - 1));
        let mut random = [0; 8];
        // Without randomness the pause is merely not jittered.
        let _ = getrandom::fill(&mut random);
        tokio::time::sleep(Duration::from_millis(u64::from_le_bytes(random) % (bound + 1))).await;
        true
    }
}
