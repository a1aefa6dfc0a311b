//! Azure Blob Storage.

use isledb_core::Result;
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder, split_sas};

use super::variables::Variables;
use super::{StoreOptions, invalid, permit};
use crate::CloudStore;

pub(super) fn open(
    container: &str,
    options: &StoreOptions,
    variables: &Variables,
) -> Result<(CloudStore, String)> {
    let mut builder = MicrosoftAzureBuilder::new().with_client_options(CloudStore::client_options());
    for (setting, value) in variables.settings::<AzureConfigKey>("AZURE_") {
        builder = builder.with_config(setting, value);
    }
    let connection = variables.get("AZURE_STORAGE_CONNECTION_STRING").map(ConnectionString);
    if let Some(connection) = &connection {
        if let Some(account) = connection.get("AccountName") {
            builder = builder.with_account(account);
        }
        if let Some(key) = connection.get("AccountKey") {
            builder = builder.with_access_key(key);
        }
        if let Some(sas) = connection.get("SharedAccessSignature") {
            let pairs =
                split_sas(sas).map_err(|error| invalid("SharedAccessSignature", &error.to_string()))?;
            builder = builder.with_sas_authorization(pairs);
        }
    }
    let endpoint = options
        .endpoint
        .clone()
        .or_else(|| connection.as_ref().and_then(ConnectionString::endpoint))
        .or_else(|| builder.get_config_value(&AzureConfigKey::Endpoint));
    let emulator = variables.get("AZURITE_BLOB_STORAGE_URL").is_some()
        || connection
            .as_ref()
            .is_some_and(|connection| connection.get("UseDevelopmentStorage") == Some("true"));
    if emulator && options.endpoint.is_none() {
        builder = builder.with_use_emulator(true);
    } else if let Some(endpoint) = endpoint {
        let allow_http = options.allow_http || variables.is_true("AZURE_ALLOW_HTTP");
        permit(&endpoint, allow_http)?;
        builder = builder.with_endpoint(endpoint).with_allow_http(allow_http);
    }
    let account = builder.get_config_value(&AzureConfigKey::AccountName).unwrap_or_default();
    let endpoint = builder.get_config_value(&AzureConfigKey::Endpoint).unwrap_or_default();
    let address = format!("az {} {account} {container}", endpoint.trim_end_matches('/'));
    Ok((CloudStore::azure(builder.with_container_name(container))?, address))
}

/// `Name=value;Name=value`, as the portal gives it.
struct ConnectionString<'a>(&'a str);

impl<'a> ConnectionString<'a> {
    fn get(&self, name: &str) -> Option<&'a str> {
        let mut pairs = self.0.split(';').filter_map(|pair| pair.split_once('='));
        pairs.find(|(found, _)| found.trim().eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }

    fn endpoint(&self) -> Option<String> {
        if let Some(endpoint) = self.get("BlobEndpoint") {
            return Some(endpoint.trim_end_matches('/').to_owned());
        }
        let (account, suffix) = (self.get("AccountName")?, self.get("EndpointSuffix")?);
        Some(format!("{}://{account}.blob.{suffix}", self.get("DefaultEndpointsProtocol").unwrap_or("https")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connection_strings_are_read() {
        let portal = ConnectionString(
            "DefaultEndpointsProtocol=https;AccountName=acc;AccountKey=a2V5==;EndpointSuffix=core.windows.net",
        );
        assert_eq!(portal.get("accountkey"), Some("a2V5=="));
        assert_eq!(portal.endpoint().as_deref(), Some("https://acc.blob.core.windows.net"));
        let own = ConnectionString("BlobEndpoint=http://127.0.0.1:10000/acc/;AccountName=acc");
        assert_eq!(own.endpoint().as_deref(), Some("http://127.0.0.1:10000/acc"));
        assert_eq!(ConnectionString("AccountName=acc").endpoint(), None);
    }

    #[test]
    fn an_emulator_needs_nothing_else() {
        let emulator = Variables::of(&[("AZURITE_BLOB_STORAGE_URL", "http://127.0.0.1:10000")]);
        open("c", &StoreOptions::default(), &emulator).unwrap();
        assert!(open("c", &StoreOptions::default(), &Variables::of(&[])).is_err(), "no account");
    }
}
