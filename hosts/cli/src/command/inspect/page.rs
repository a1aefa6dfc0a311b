//! The files of the inspector's page: those in the binary, or those of a folder.

use std::borrow::Cow;
use std::path::PathBuf;

use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use axum::http::{HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};

use crate::exit::{Code, Failure, Outcome};
use crate::signer::Refusal;

/// Name and content of each file.
#[cfg(feature = "inspector")]
static EMBEDDED: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/page.rs"));
#[cfg(not(feature = "inspector"))]
static EMBEDDED: &[(&str, &[u8])] = &[];

/// The page's folder for the package that reads databases. It is built, so it may not be there.
const PACKAGE: &str = "isledb/";

/// Scripts of this server alone, and no page around this one. Buckets may be anywhere, since the page opens tickets and other
/// URLs too.
const POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self'; \
                      connect-src 'self' https: http:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
                      require-trusted-types-for 'script'; trusted-types 'none'";

/// Where the files are.
pub(super) enum Page {
    Embedded,
    Folder(PathBuf),
}

impl Page {
    /// The page of a folder, else the one in this binary.
    ///
    /// Errors: `unsupported` where there is none, saying how to get one.
    pub(super) fn find(folder: Option<PathBuf>) -> Outcome<Page> {
        let missing = |what: String, advice: &str| {
            Err(Failure::new(Code::Unsupported, "unsupported", what).advise(advice))
        };
        match folder {
            Some(folder) if !folder.join("index.html").is_file() || !folder.join(PACKAGE).is_dir() => {
                missing(
                    format!("{} is not the built page of the inspector", folder.display()),
                    "run www/build.sh first",
                )
            }
            Some(folder) => Ok(Page::Folder(folder)),
            None if !cfg!(feature = "inspector") => missing(
                "this isledb was built without the inspector".to_owned(),
                "build it with `--features inspector`, or give the page's folder with --www",
            ),
            None if !EMBEDDED.iter().any(|(name, _)| name.starts_with(PACKAGE)) => missing(
                "this isledb was built before the inspector's package was".to_owned(),
                "run www/build.sh, then build it again",
            ),
            None => Ok(Page::Embedded),
        }
    }

    /// A file of the page by its path without the first slash.
    pub(super) fn answer(&self, path: &str) -> Result<Response, Refusal> {
        let name = if path.is_empty() { "index.html" } else { path };
        let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
        let kind = match extension {
            "html" => "text/html; charset=utf-8",
            "js" => "text/javascript; charset=utf-8",
            "css" => "text/css; charset=utf-8",
            "svg" => "image/svg+xml",
            "wasm" => "application/wasm",
            _ => return Err(Refusal::not_found()),
        };
        let content = self.content(name).ok_or_else(Refusal::not_found)?;
        let mut response = content.into_response();
        let headers: [(HeaderName, &'static str); 8] = [
            (CONTENT_TYPE, kind),
            (CONTENT_SECURITY_POLICY, POLICY),
            (X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (X_FRAME_OPTIONS, "DENY"),
            (REFERRER_POLICY, "no-referrer"),
            (CACHE_CONTROL, "no-cache"),
            (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
            (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        ];
        for (name, value) in headers {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        Ok(response)
    }

    fn content(&self, name: &str) -> Option<Cow<'static, [u8]>> {
        match self {
            Page::Embedded => {
                EMBEDDED.iter().find(|(found, _)| *found == name).map(|(_, content)| Cow::Borrowed(*content))
            }
            Page::Folder(folder) if is_plain(name) => std::fs::read(folder.join(name)).ok().map(Cow::Owned),
            Page::Folder(_) => None,
        }
    }
}

/// True for a path below the folder, spelled in the one way there is.
fn is_plain(name: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    name.split('/').all(|part| !part.is_empty() && !part.starts_with('.') && part.bytes().all(letter))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_below_the_folder() {
        for fine in ["index.html", "js/main.js", "isledb/isledb_bg.wasm"] {
            assert!(is_plain(fine), "{fine}");
        }
        for bad in [
            "",
            "/etc/passwd",
            "../x.js",
            "a/../../x.js",
            "a//b.js",
            ".hidden.js",
            "a\\..\\b.js",
            "C:x.js",
            "a\0.js",
        ] {
            assert!(!is_plain(bad), "{bad}");
        }
    }
}
