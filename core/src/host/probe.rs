//! Proof that a store can carry a database: that it enforces the conditions which the commit protocol stands on.

use std::time::Duration;

use bytes::Bytes;
use futures::join;

use super::store::{PutCondition, Version};
use super::{Moment, Requests};
use crate::error::{Error, Result};

/// How often puts whose condition holds may be refused, each time under a new name and with nothing written, before the store is
/// judged by it.
const MAX_REFUSALS: u32 = 3;

/// Proves that the store enforces put-if-absent and put-if-match, and that it answers "not found" for a name that was
/// never written. `new_name` gives a key that nobody ever used, at every call.
///
/// An answer that leaves a put's outcome open is not judged, nor a refusal of a put that was written all the same (a client or a
/// proxy that sends a put twice is refused because of its own first one): the proof begins anew under another name, until the
/// deadline of `requests`. What was put is deleted again, if the store lets us; GC takes what a lost answer leaves behind.
///
/// Cost where every request is answered: 6 requests in 4 round trips.
///
/// Errors: `Unsupported`, naming what the store ignored; `Permission`, also where a missing name is answered by "forbidden"
/// (S3 does so to whoever may not list), since a writer must be able to tell the two apart.
pub async fn probe(requests: &Requests, mut new_name: impl FnMut() -> String) -> Result<()> {
    let begun = Moment::now(&*requests.host);
    let mut backoff = requests.backoff();
    let (mut refusals, mut first) = (0, true);
    loop {
        let (missing, name) = (new_name(), new_name());
        let found = examine(requests, &missing, &name, first).await;
        let _ = requests.delete_once(std::slice::from_ref(&name)).await;
        let unclear = match found {
            Err(error) if error.leaves_outcome_open() => error,
            Err(Error::Precondition { object }) => {
                refusals += 1;
                let what =
                    "the store refuses puts whose condition (If-None-Match, If-Match) holds".to_owned();
                let error = Error::Unsupported { object, what };
                if refusals == MAX_REFUSALS {
                    return Err(error);
                }
                error
            }
            decided => return decided,
        };
        first = false;
        let pause = backoff.next(&*requests.host);
        let left_ms = requests.policy.deadline_ms.saturating_sub(begun.elapsed_ms(&*requests.host));
        if Duration::from_millis(left_ms) <= pause {
            return Err(unclear);
        }
        requests.host.sleep(pause).await;
    }
}

/// One proof under one name. `Unavailable` and `Precondition` say that it must be made again.
async fn examine(requests: &Requests, missing: &str, name: &str, at_once: bool) -> Result<()> {
    let (read, created) =
        join!(requests.get(missing), put_that_holds(requests, name, "1", PutCondition::IfAbsent));
    missing_name_is_not_found(missing, read.map(drop))?;
    let first = created?;

    let second = put_that_holds(requests, name, "2", PutCondition::IfMatch(first.clone())).await?;
    if second == first {
        return Err(unsupported(name, "gives different contents of an object the same version (ETag)"));
    }

    // Neither condition holds. Some stores fail one of two puts at once instead of refusing it: then one after the other.
    let if_absent = put(requests, name, "3", PutCondition::IfAbsent);
    let if_match = put(requests, name, "4", PutCondition::IfMatch(first));
    let (if_absent, if_match) =
        if at_once { join!(if_absent, if_match) } else { (if_absent.await, if_match.await) };
    match (&if_absent, &if_match) {
        (Ok(_), Ok(_)) => Err(unsupported(name, "ignores If-None-Match and If-Match on puts")),
        (Ok(_), Err(_)) => Err(unsupported(name, "ignores If-None-Match on puts (put if absent)")),
        (Err(_), Ok(_)) => Err(unsupported(name, "ignores If-Match on puts (put if unchanged)")),
        (Err(_), Err(_)) => refused(if_absent).and(refused(if_match)),
    }
}

/// A put whose condition holds. One that is refused and is there nevertheless was sent twice on the way: that is no answer.
async fn put_that_holds(
    requests: &Requests,
    name: &str,
    body: &'static str,
    condition: PutCondition,
) -> Result<Version> {
    let refused = match put(requests, name, body, condition).await {
        Err(error @ Error::Precondition { .. }) => error,
        answer => return answer,
    };
    match requests.get(name).await {
        Ok(found) if found.body == body => Err(Error::Unavailable {
            object: name.to_owned(),
            message: "a put was sent twice on the way to the store".to_owned(),
        }),
        Ok(_) | Err(Error::NotFound { .. }) => Err(refused),
        Err(error) => Err(error),
    }
}

async fn put(
    requests: &Requests,
    name: &str,
    body: &'static str,
    condition: PutCondition,
) -> Result<Version> {
    requests.put_once(name, Bytes::from_static(body.as_bytes()), condition).await
}

fn refused(answer: Result<Version>) -> Result<()> {
    match answer {
        Err(Error::Precondition { .. }) => Ok(()),
        other => other.map(drop),
    }
}

fn missing_name_is_not_found(missing: &str, read: Result<()>) -> Result<()> {
    match read {
        Err(Error::NotFound { .. }) => Ok(()),
        Err(Error::Permission { object, message }) => Err(Error::Permission {
            object,
            message: format!(
                "{message} (for a name that does not exist: writers need the right to list the bucket)"
            ),
        }),
        Err(other) => Err(other),
        Ok(()) => Err(unsupported(missing, "has an object under a name that was never written")),
    }
}

fn unsupported(object: &str, what: &str) -> Error {
    Error::Unsupported {
        object: object.to_owned(),
        what: format!("the store {what}; it cannot carry a database"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use futures::executor::block_on;

    use super::*;
    use crate::host::store::{GetOptions, GetResult, ListPage, MultipartUpload, ObjectMeta, ObjectStore};
    use crate::host::testing::VirtualClock;
    use crate::host::{Cost, MemoryStore, Metered, RetryPolicy};
    use crate::maybe::BoxFuture;

    #[derive(Default)]
    struct Defects {
        ignores_if_absent: bool,
        ignores_if_match: bool,
        forbids_missing: bool,
        same_version: bool,
        refuses_if_match: bool,
        /// The put of this number (from 1) is applied and its answer lost.
        loses_answer_of: u32,
        /// The put of this number is made twice, and the second answer given.
        repeats: u32,
        /// The same for all puts up to this number.
        repeats_until: u32,
        loses_every_answer: bool,
    }

    struct Defective {
        inner: MemoryStore,
        defects: Defects,
        puts: AtomicU32,
    }

    impl Defective {
        async fn defective_put(&self, key: &str, body: Bytes, condition: PutCondition) -> Result<Version> {
            let number = self.puts.fetch_add(1, Ordering::Relaxed) + 1;
            let defects = &self.defects;
            let condition = match condition {
                PutCondition::IfAbsent if defects.ignores_if_absent => PutCondition::None,
                PutCondition::IfMatch(_) if defects.refuses_if_match => {
                    PutCondition::IfMatch(Version::new("none"))
                }
                PutCondition::IfMatch(_) if defects.ignores_if_match => PutCondition::None,
                other => other,
            };
            let mut answer = self.inner.put(key, body.clone(), condition.clone()).await;
            if number == defects.repeats || number <= defects.repeats_until {
                answer = self.inner.put(key, body, condition).await;
            }
            if number == defects.loses_answer_of || defects.loses_every_answer {
                return Err(Error::Unavailable { object: key.into(), message: "connection reset".into() });
            }
            if defects.same_version { answer.map(|_| Version::new("same")) } else { answer }
        }
    }

    impl ObjectStore for Defective {
        fn get<'a>(&'a self, key: &'a str, options: GetOptions) -> BoxFuture<'a, Result<GetResult>> {
            Box::pin(async move {
                match self.inner.get(key, options).await {
                    Err(Error::NotFound { object }) if self.defects.forbids_missing => {
                        Err(Error::Permission { object, message: "AccessDenied".into() })
                    }
                    other => other,
                }
            })
        }

        fn head<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<ObjectMeta>> {
            self.inner.head(key)
        }

        fn put<'a>(
            &'a self,
            key: &'a str,
            body: Bytes,
            when: PutCondition,
        ) -> BoxFuture<'a, Result<Version>> {
            Box::pin(self.defective_put(key, body, when))
        }

        fn put_multipart<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Box<dyn MultipartUpload>>> {
            self.inner.put_multipart(key)
        }

        fn list<'a>(
            &'a self,
            prefix: &'a str,
            start_after: Option<&'a str>,
        ) -> BoxFuture<'a, Result<ListPage>> {
            self.inner.list(prefix, start_after)
        }

        fn delete<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<Vec<Result<()>>>> {
            self.inner.delete(keys)
        }
    }

    /// The verdict, what it cost, and how many objects are left.
    fn probe_with(defects: Defects) -> (Result<()>, Cost, usize) {
        let clock = Arc::new(VirtualClock::at_unix_ms(1_000));
        let inner = MemoryStore::new(clock.clone());
        let store = Defective { inner: inner.clone(), defects, puts: AtomicU32::new(0) };
        let metered = Metered::new(Arc::new(store));
        let meter = metered.meter();
        let policy = RetryPolicy { deadline_ms: 20_000, ..RetryPolicy::default() };
        let requests = Requests { policy, ..Requests::new(Arc::new(metered), clock) };
        let mut names = 0;
        let verdict = block_on(probe(&requests, || {
            names += 1;
            format!("db/manifest/probe/{names}")
        }));
        (verdict, meter.cost(), block_on(inner.list("", None)).unwrap().objects.len())
    }

    fn unsupported_by(defects: Defects) -> String {
        let (verdict, _, left) = probe_with(defects);
        assert_eq!(left, 0, "the object is removed");
        match verdict.unwrap_err() {
            Error::Unsupported { what, .. } => what,
            other => panic!("{other}"),
        }
    }

    #[test]
    fn a_good_store_is_proven_in_four_rounds_and_six_requests() {
        let (verdict, cost, left) = probe_with(Defects::default());
        verdict.unwrap();
        assert_eq!((cost.round_trips, cost.requests(), cost.get, cost.put, cost.delete), (4, 6, 1, 4, 1));
        assert_eq!(left, 0);
    }

    #[test]
    fn a_store_that_ignores_a_condition_is_refused_by_name() {
        let what = unsupported_by(Defects { ignores_if_absent: true, ..Defects::default() });
        assert!(what.contains("ignores If-None-Match on puts"), "{what}");
        let what = unsupported_by(Defects { ignores_if_match: true, ..Defects::default() });
        assert!(what.contains("ignores If-Match on puts"), "{what}");
        let both = Defects { ignores_if_match: true, ignores_if_absent: true, ..Defects::default() };
        let what = unsupported_by(both);
        assert!(what.contains("ignores If-None-Match and If-Match"), "{what}");
    }

    #[test]
    fn a_store_whose_versions_say_nothing_is_refused() {
        let defects = Defects { same_version: true, ignores_if_match: true, ..Defects::default() };
        assert!(unsupported_by(defects).contains("the same version"));
    }

    #[test]
    fn a_store_that_refuses_what_holds_is_refused_after_a_few_names() {
        let what = unsupported_by(Defects { refuses_if_match: true, ..Defects::default() });
        assert!(what.contains("whose condition"), "{what}");
    }

    #[test]
    fn forbidden_for_a_missing_name_asks_for_the_right_to_list() {
        let (verdict, _, left) = probe_with(Defects { forbids_missing: true, ..Defects::default() });
        match verdict.unwrap_err() {
            Error::Permission { message, .. } => assert!(message.contains("right to list"), "{message}"),
            other => panic!("{other}"),
        }
        assert_eq!(left, 0);
    }

    #[test]
    fn a_lost_answer_is_not_judged() {
        for lost in 1..=4 {
            let (verdict, cost, left) = probe_with(Defects { loses_answer_of: lost, ..Defects::default() });
            verdict.unwrap();
            assert!(cost.requests() > 6);
            assert_eq!(left, 0);
        }
    }

    #[test]
    fn a_put_that_was_sent_twice_on_the_way_is_not_judged() {
        for repeated in 1..=4 {
            let (verdict, ..) = probe_with(Defects { repeats: repeated, ..Defects::default() });
            verdict.unwrap();
        }
    }

    #[test]
    fn many_puts_that_are_sent_twice_do_not_reject_a_right_store() {
        let (verdict, _, left) = probe_with(Defects { repeats_until: 7, ..Defects::default() });
        verdict.unwrap();
        assert_eq!(left, 0);
        // For ever: the store is not to be judged, and it is said why.
        let (verdict, ..) = probe_with(Defects { repeats_until: u32::MAX, ..Defects::default() });
        assert!(verdict.unwrap_err().to_string().contains("sent twice on the way"));
    }

    #[test]
    fn a_store_that_never_answers_is_unavailable_not_unsupported() {
        let (verdict, _, left) = probe_with(Defects { loses_every_answer: true, ..Defects::default() });
        assert!(matches!(verdict.unwrap_err(), Error::Unavailable { .. }));
        assert_eq!(left, 0);
    }
}
