//! The profiles of the AWS command line: `~/.aws/credentials` and `~/.aws/config`.
//!
//! Static keys, region and endpoint are read. Profiles that get their keys elsewhere (single sign-on, an assumed role, a
//! program) are refused with a word on how to get these keys into the environment: that is the job of AWS's own tools.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::PathBuf;

use isledb_core::{Error, Result};

use super::invalid;
use super::variables::Variables;

/// The settings of one profile; of none, where there is none.
#[derive(Debug, Default)]
pub(super) struct Profile {
    name: String,
    settings: BTreeMap<String, String>,
}

/// Keys to sign with.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Keys<'a> {
    pub(super) id: &'a str,
    pub(super) secret: &'a str,
    pub(super) token: Option<&'a str>,
}

impl Profile {
    /// The profile that `AWS_PROFILE` names, else `default`, from the files that `AWS_CONFIG_FILE` and
    /// `AWS_SHARED_CREDENTIALS_FILE` name, else from those in `~/.aws`.
    ///
    /// Errors: `InvalidArgument` where a profile is named that is in neither file; `Permission` where a file is not to be read.
    pub(super) fn find(variables: &Variables) -> Result<Profile> {
        let home = variables.get("HOME").or_else(|| variables.get("USERPROFILE"));
        let file = |variable, name| match (variables.get(variable), home) {
            (Some(path), _) => Some(PathBuf::from(path)),
            (None, Some(home)) => Some(PathBuf::from(home).join(".aws").join(name)),
            (None, None) => None,
        };
        let named = variables.get("AWS_PROFILE").or_else(|| variables.get("AWS_DEFAULT_PROFILE"));
        let name = named.unwrap_or("default");
        let config = read(file("AWS_CONFIG_FILE", "config"))?;
        let credentials = read(file("AWS_SHARED_CREDENTIALS_FILE", "credentials"))?;
        let in_config = if name == "default" { name.to_owned() } else { format!("profile {name}") };
        let found = [section(&config, &in_config), section(&credentials, name)];
        if named.is_some() && found.iter().all(Option::is_none) {
            return Err(invalid(
                name,
                "AWS_PROFILE names a profile that is in neither of the files in ~/.aws",
            ));
        }
        let settings = found.into_iter().flatten().flatten().collect();
        Ok(Profile { name: name.to_owned(), settings })
    }

    /// A setting.
    pub(super) fn get(&self, setting: &str) -> Option<&str> {
        self.settings.get(setting).map(String::as_str)
    }

    /// The keys, if the profile has any.
    pub(super) fn keys(&self) -> Result<Option<Keys<'_>>> {
        if let (Some(id), Some(secret)) = (self.get("aws_access_key_id"), self.get("aws_secret_access_key")) {
            return Ok(Some(Keys { id, secret, token: self.get("aws_session_token") }));
        }
        for elsewhere in ["sso_session", "sso_start_url", "role_arn", "credential_process", "login_session"] {
            if self.get(elsewhere).is_some() {
                let name = &self.name;
                let why = format!(
                    "this AWS profile gets its keys by {elsewhere}, which is left to AWS's tools: run \
                     eval \"$(aws configure export-credentials --profile {name} --format env)\" first"
                );
                return Err(invalid(name, &why));
            }
        }
        Ok(None)
    }
}

fn read(file: Option<PathBuf>) -> Result<String> {
    let Some(file) = file else { return Ok(String::new()) };
    match std::fs::read_to_string(&file) {
        Ok(text) => Ok(text),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(String::new())
        }
        Err(error) => {
            Err(Error::Permission { object: file.display().to_string(), message: error.to_string() })
        }
    }
}

/// The settings of `[name]`. Sections of one name add up; nested settings (indented) belong to other programs.
fn section(text: &str, name: &str) -> Option<BTreeMap<String, String>> {
    let mut found: Option<BTreeMap<String, String>> = None;
    let mut inside = false;
    for line in text.lines() {
        let nested = line.starts_with([' ', '\t']);
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(title) = line.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            inside = title.0.split_whitespace().eq(name.split_whitespace());
            if inside {
                found.get_or_insert_default();
            }
        } else if inside
            && !nested
            && let (Some(settings), Some((setting, value))) = (&mut found, line.split_once('='))
        {
            // A comment behind a value begins with a blank.
            let value = value.split(" #").next().unwrap_or_default().split(" ;").next().unwrap_or_default();
            settings.insert(setting.trim().to_ascii_lowercase(), value.trim().to_owned());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = "\
# a comment
[default]
region = eu-central-1
s3 =
    endpoint_url = http://nested
[profile  work]
region=us-west-2 # where we are
endpoint_url = https://s3.example
[profile sso]
sso_session = corp
[sso-session corp]
sso_region = eu-west-1
";
    const CREDENTIALS: &str = "\
[default]
aws_access_key_id = AKDEFAULT
aws_secret_access_key = secret/with=signs
[work]
AWS_ACCESS_KEY_ID=AKWORK
aws_secret_access_key=s
aws_session_token=t
";

    fn find(profile: Option<&str>) -> Result<Profile> {
        let folder = tempfile::tempdir().unwrap();
        let (config, credentials) = (folder.path().join("config"), folder.path().join("credentials"));
        std::fs::write(&config, CONFIG).unwrap();
        std::fs::write(&credentials, CREDENTIALS).unwrap();
        let mut variables = vec![
            ("AWS_CONFIG_FILE", config.to_str().unwrap()),
            ("AWS_SHARED_CREDENTIALS_FILE", credentials.to_str().unwrap()),
        ];
        variables.extend(profile.map(|name| ("AWS_PROFILE", name)));
        Profile::find(&Variables::of(&variables))
    }

    #[test]
    fn both_files_make_a_profile() {
        let default = find(None).unwrap();
        assert_eq!(default.get("region"), Some("eu-central-1"));
        assert_eq!(default.get("endpoint_url"), None, "nested settings are not the profile's");
        let keys = Keys { id: "AKDEFAULT", secret: "secret/with=signs", token: None };
        assert_eq!(default.keys().unwrap(), Some(keys));
        let work = find(Some("work")).unwrap();
        assert_eq!(
            (work.get("region"), work.get("endpoint_url")),
            (Some("us-west-2"), Some("https://s3.example"))
        );
        assert_eq!(work.keys().unwrap(), Some(Keys { id: "AKWORK", secret: "s", token: Some("t") }));
    }

    #[test]
    fn keys_from_elsewhere_are_refused_with_a_way_out() {
        let error = find(Some("sso")).unwrap().keys().unwrap_err().to_string();
        assert!(error.contains("export-credentials --profile sso"), "{error}");
    }

    #[test]
    fn a_profile_that_is_named_must_exist() {
        assert!(find(Some("nobody")).unwrap_err().to_string().contains("neither"));
        assert_eq!(Profile::find(&Variables::of(&[])).unwrap().keys().unwrap(), None);
    }
}
