//! Google Cloud Storage.

use isledb_core::Result;
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::{ClientConfigKey, ClientOptions};

use super::variables::Variables;
use super::{StoreOptions, permit};
use crate::CloudStore;

pub(super) fn open(
    bucket: &str,
    options: &StoreOptions,
    variables: &Variables,
) -> Result<(CloudStore, String)> {
    let key = variables.get("GOOGLE_SERVICE_ACCOUNT_KEY");
    let emulator = variables.get("STORAGE_EMULATOR_HOST").map(|host| match host.contains("://") {
        true => host.to_owned(),
        false => format!("http://{host}"),
    });
    let named_by_key = key.and_then(base_url_of_key);
    let endpoint = options.endpoint.clone().or_else(|| emulator.clone());
    let address = endpoint.clone().or(named_by_key).unwrap_or_default();
    // Who names an emulator means plain HTTP.
    let allow_http =
        options.allow_http || variables.is_true("GOOGLE_ALLOW_HTTP") || emulator.as_ref() == Some(&address);
    permit(&address, allow_http)?;

    let client: ClientOptions = CloudStore::client_options().with_allow_http(allow_http);
    let mut builder = GoogleCloudStorageBuilder::new().with_client_options(client);
    for (setting, value) in variables.settings::<GoogleConfigKey>("GOOGLE_") {
        if setting != GoogleConfigKey::Client(ClientConfigKey::AllowHttp) {
            builder = builder.with_config(setting, value);
        }
    }
    if let Some(endpoint) = &endpoint {
        builder = builder.with_base_url(endpoint);
    }
    if emulator.is_some() && key.is_none() {
        // An emulator knows no accounts.
        builder = builder.with_bearer_token("emulator");
    }
    let store_address = format!("gs {} {bucket}", address.trim_end_matches('/'));
    Ok((CloudStore::gcs(builder.with_bucket_name(bucket))?, store_address))
}

/// Keys for emulators may carry the address to use.
fn base_url_of_key(key: &str) -> Option<String> {
    let (_, rest) = key.split_once("\"gcs_base_url\"")?;
    let value = rest.trim_start().strip_prefix(':')?.trim_start().strip_prefix('"')?;
    Some(value.split_once('"')?.0.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_may_name_an_address() {
        assert_eq!(
            base_url_of_key(r#"{"gcs_base_url" : "http://h:1","x":1}"#).as_deref(),
            Some("http://h:1")
        );
        assert_eq!(base_url_of_key(r#"{"gcs_base_url":null}"#), None);
        assert_eq!(base_url_of_key("{}"), None);
    }

    #[test]
    fn an_emulator_needs_nothing_else() {
        let emulator = Variables::of(&[("STORAGE_EMULATOR_HOST", "127.0.0.1:4443")]);
        open("b", &StoreOptions::default(), &emulator).unwrap();
        let key = r#"{"gcs_base_url":"http://127.0.0.1:4443","disable_oauth":true,"client_email":"","private_key":"","private_key_id":""}"#;
        let both = [("STORAGE_EMULATOR_HOST", "http://127.0.0.1:4443"), ("GOOGLE_SERVICE_ACCOUNT_KEY", key)];
        open("b", &StoreOptions::default(), &Variables::of(&both)).unwrap();
        assert!(
            open("b", &StoreOptions::default(), &Variables::of(&both[1..])).is_err(),
            "plain HTTP by the key alone"
        );
        let permitted = StoreOptions { allow_http: true, ..StoreOptions::default() };
        open("b", &permitted, &Variables::of(&both[1..])).unwrap();
    }
}
