//! From the errors of `object_store` to decisions of the caller.

use std::error::Error as StdError;

use isledb_core::Error;

use super::refusal::{Refusal, element};

/// The longest message that is passed on, in bytes. Stores like to answer with whole documents.
const MAX_MESSAGE: usize = 400;

/// Where credentials come from when nobody configured any.
const METADATA_SERVICES: [&str; 3] = ["169.254.169.254", "169.254.170.2", "metadata.google.internal"];

/// What the request was, as far as its errors differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Request {
    /// A put under a condition: a conflict is the answer to it.
    ConditionalPut,
    /// Everything else: a conflict means "later".
    Other,
}

/// The engine's error for one of `object_store`'s.
pub(super) fn translate(key: &str, request: Request, error: &object_store::Error) -> Error {
    use object_store::Error as Cloud;
    let object = key.to_owned();
    let message = || summary(&chain(error));
    match error {
        // AWS answers a put of a missing object, if-match, by 404 too; object_store makes a precondition of it.
        Cloud::NotFound { .. } | Cloud::Precondition { .. } if names_missing_bucket(error) => {
            Error::Permission { object, message: format!("there is no such bucket: {}", message()) }
        }
        // versitygw's answer to an unknown access key: the object may well be there.
        Cloud::NotFound { .. } | Cloud::Precondition { .. }
            if error.to_string().contains("XAdminUserNotFound") =>
        {
            Error::Permission { object, message: message() }
        }
        Cloud::NotFound { .. } => Error::NotFound { object },
        Cloud::NotModified { .. } => Error::NotModified { object },
        Cloud::Precondition { .. } | Cloud::AlreadyExists { .. } if request == Request::ConditionalPut => {
            Error::Precondition { object }
        }
        Cloud::PermissionDenied { .. } | Cloud::Unauthenticated { .. } => {
            Error::Permission { object, message: message() }
        }
        Cloud::InvalidPath { .. } | Cloud::UnknownConfigurationKey { .. } => {
            Error::InvalidArgument { what: format!("{object}: {}", message()) }
        }
        Cloud::NotImplemented { .. } | Cloud::NotSupported { .. } => {
            Error::Unsupported { object, what: message() }
        }
        _ => match find_refusal(error) {
            Some(refusal) => refusal.to_error(key),
            None => without_answer(object, message()),
        },
    }
}

fn without_answer(object: String, message: String) -> Error {
    if METADATA_SERVICES.iter().any(|service| message.contains(service)) {
        let hint = "no credentials: set the provider's environment variables or a profile (the machine's own metadata \
                    service does not give any)";
        return Error::Permission { object, message: format!("{hint}: {message}") };
    }
    // One key of a bulk delete; its code is all there is.
    if message.contains("(code: AccessDenied)") {
        return Error::Permission { object, message };
    }
    Error::Unavailable { object, message }
}

fn find_refusal(error: &object_store::Error) -> Option<&Refusal> {
    let mut source = error.source();
    while let Some(error) = source {
        if let Some(refusal) = error.downcast_ref() {
            return Some(refusal);
        }
        source = error.source();
    }
    None
}

fn names_missing_bucket(error: &object_store::Error) -> bool {
    let text = error.to_string();
    ["NoSuchBucket", "ContainerNotFound", "The specified bucket does not exist"]
        .iter()
        .any(|no| text.contains(no))
}

/// The message of an error and of its causes, each once.
pub(super) fn chain(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let cause = error.to_string();
        if !text.contains(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
        source = error.source();
    }
    text
}

/// A text that may contain a store's XML answer, in one short line: what stands before the document, its code, its message.
pub(super) fn summary(text: &str) -> String {
    let mut line = match text.split_once('<') {
        Some((before, _)) => [Some(before), element(text, "Code"), element(text, "Message")]
            .into_iter()
            .flatten()
            .map(|part| part.trim().trim_end_matches(':'))
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join(": ")
            .replacen(": ", " ", usize::from(before.trim().parse::<u16>().is_ok())),
        None => text.split_whitespace().collect::<Vec<_>>().join(" "),
    };
    for (escape, plain) in [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")] {
        line = line.replace(escape, plain);
    }
    if line.len() > MAX_MESSAGE {
        let end = (0..=MAX_MESSAGE).rev().find(|&end| line.is_char_boundary(end)).unwrap_or(0);
        line.truncate(end);
        line.push_str("...");
    }
    line
}

#[cfg(test)]
mod tests {
    use isledb_core::ErrorKind;

    use super::*;

    fn source(text: &str) -> Box<dyn StdError + Send + Sync> {
        text.to_owned().into()
    }

    #[test]
    fn a_conflict_answers_only_a_condition() {
        let exists = object_store::Error::AlreadyExists { path: "k".into(), source: source("409") };
        assert_eq!(
            translate("k", Request::ConditionalPut, &exists),
            Error::Precondition { object: "k".into() }
        );
        assert_eq!(translate("k", Request::Other, &exists).kind(), ErrorKind::Retry);
    }

    #[test]
    fn a_missing_bucket_is_not_a_missing_object() {
        let body = "404 Not Found: <Error><Code>NoSuchBucket</Code><Message>no such bucket</Message></Error>";
        let missing = object_store::Error::NotFound { path: "k".into(), source: source(body) };
        let error = translate("k", Request::Other, &missing);
        assert_eq!(error.kind(), ErrorKind::Permission);
        assert!(error.to_string().contains("there is no such bucket"), "{error}");
        let missing = object_store::Error::NotFound { path: "k".into(), source: source("NoSuchKey") };
        assert_eq!(translate("k", Request::Other, &missing).kind(), ErrorKind::NotFound);
    }

    #[test]
    fn no_credentials_say_so() {
        let text =
            "Error performing PUT http://169.254.169.254/latest/api/token in 1s - error sending request";
        let error = object_store::Error::Generic { store: "S3", source: source(text) };
        let error = translate("k", Request::Other, &error);
        assert_eq!(error.kind(), ErrorKind::Permission);
        assert!(error.to_string().contains("no credentials"), "{error}");
    }

    #[test]
    fn summaries_keep_what_stands_before_the_document() {
        let text = "could not: <?xml version=\"1.0\"?>\n<Error><Code>C</Code>\n<Message>a &lt;b&gt;</Message></Error>";
        assert_eq!(summary(text), "could not: C: a <b>");
        assert_eq!(summary("503 <Error><Code>SlowDown</Code></Error>"), "503 SlowDown");
        assert_eq!(summary("two\n  lines"), "two lines");
        assert_eq!(summary("502 <html>Bad Gateway</html>"), "502");
        let long = "é".repeat(500);
        assert!(summary(&long).len() < 410 && summary(&long).ends_with("..."));
    }
}
