//! S3 and what speaks its language.

use isledb_core::Result;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};

use super::profile::Profile;
use super::variables::Variables;
use super::{StoreOptions, invalid, permit};
use crate::CloudStore;

pub(super) fn open(
    bucket: &str,
    options: &StoreOptions,
    variables: &Variables,
) -> Result<(CloudStore, String)> {
    let mut builder = AmazonS3Builder::new().with_client_options(CloudStore::client_options());
    for (key, value) in variables.settings::<AmazonS3ConfigKey>("AWS_") {
        builder = builder.with_config(key, value);
    }
    let profile = Profile::find(variables)?;
    let has = |builder: &AmazonS3Builder, key| builder.get_config_value(&key).is_some();
    if !has(&builder, AmazonS3ConfigKey::AccessKeyId)
        && !has(&builder, AmazonS3ConfigKey::WebIdentityTokenFile)
        && let Some(keys) = profile.keys()?
    {
        builder = builder.with_access_key_id(keys.id).with_secret_access_key(keys.secret);
        if let Some(token) = keys.token {
            builder = builder.with_token(token);
        }
    }
    if let Some(region) = &options.region {
        builder = builder.with_region(region);
    } else if !has(&builder, AmazonS3ConfigKey::Region)
        && let Some(region) = profile.get("region")
    {
        builder = builder.with_region(region);
    }

    let from_environment = variables.get("AWS_ENDPOINT_URL_S3").map(str::to_owned);
    let endpoint = options
        .endpoint
        .clone()
        .or(from_environment)
        .or_else(|| builder.get_config_value(&AmazonS3ConfigKey::Endpoint))
        .or_else(|| profile.get("endpoint_url").map(str::to_owned));
    let virtual_hosted = options.path_style == Some(false) || {
        let key = AmazonS3ConfigKey::VirtualHostedStyleRequest;
        options.path_style.is_none() && builder.get_config_value(&key).as_deref() == Some("true")
    };
    builder = builder.with_virtual_hosted_style_request(virtual_hosted);
    // Without an endpoint it is AWS, where a bucket's name is nobody else's.
    let address = format!("s3 {} {bucket}", endpoint.as_deref().unwrap_or("aws").trim_end_matches('/'));
    if let Some(endpoint) = endpoint {
        let allow_http = options.allow_http || variables.is_true("AWS_ALLOW_HTTP");
        permit(&endpoint, allow_http)?;
        // With the bucket in the host name, the endpoint is to carry it. One from the environment does so already, if
        // it follows the builder's own rule.
        let endpoint = match endpoint.split_once("://") {
            Some((scheme, host)) if virtual_hosted && !host.starts_with(&format!("{bucket}.")) => {
                format!("{scheme}://{bucket}.{host}")
            }
            Some(_) => endpoint,
            None => return Err(invalid(&endpoint, "an endpoint begins with https:// or http://")),
        };
        builder = builder.with_allow_http(allow_http).with_config(AmazonS3ConfigKey::S3Endpoint, endpoint);
    }
    Ok((CloudStore::s3(builder.with_bucket_name(bucket))?, address))
}
