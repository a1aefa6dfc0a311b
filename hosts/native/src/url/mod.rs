//! From a URL to a store and a prefix.

mod azure;
mod folder;
mod gcs;
mod profile;
mod s3;
mod variables;

use std::sync::Arc;

use isledb_core::host::{MemoryStore, ObjectStore, PriceList};
use isledb_core::{Error, Result};

use crate::{CloudStore, DiskCacheOptions, Presigner, SignerToken, TicketStore, TokioHost, read_ticket};
use variables::Variables;

/// What a URL alone does not say. Everything that is left out comes from the provider's usual environment variables.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoreOptions {
    /// Address of the service, where it is not the provider's own: `https://host[:port]`.
    pub endpoint: Option<String>,
    /// Region of the bucket (S3 alone). Default: the environment, the profile, then `us-east-1`.
    pub region: Option<String>,
    /// S3 alone: true for `endpoint/bucket/key`, false for `bucket.endpoint/key`. Default: true.
    pub path_style: Option<bool>,
    /// Permits addresses that begin with `http://`: keys and data travel in the clear, and anybody on the way can read and
    /// change them.
    pub allow_http: bool,
    /// `ticket:` alone: goes on to newer versions, with this token for the signer that the ticket names; see
    /// [`TicketStore::following`](crate::TicketStore::following). Default: the ticket stays at its version.
    pub signer_token: Option<SignerToken>,
    /// A cache on the local disk, which [`open_with`](crate::open_with) puts between the engine and the store. Default: none.
    /// [`open_store`] gives the store without it, so that whoever counts requests counts beneath the cache; then
    /// [`DiskCache::over`](crate::DiskCache::over) adds it. Nothing is cached of `memory:`.
    pub disk_cache: Option<DiskCacheOptions>,
}

/// Who keeps the objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Provider {
    /// Amazon S3, and whatever else speaks its language.
    S3,
    /// Google Cloud Storage.
    Gcs,
    /// Azure Blob Storage.
    Azure,
    /// A folder of this machine.
    Folder,
    /// The memory of this process.
    Memory,
    /// Whoever signed a view ticket.
    Ticket,
}

impl Provider {
    /// What it charges.
    pub fn prices(self) -> PriceList {
        match self {
            Provider::S3 => PriceList::S3,
            Provider::Gcs => PriceList::GCS,
            Provider::Azure => PriceList::AZURE,
            Provider::Folder | Provider::Memory | Provider::Ticket => PriceList::LOCAL,
        }
    }
}

/// A store, and where in it the database is.
#[derive(Clone)]
pub struct OpenedStore {
    /// The store.
    pub store: Arc<dyn ObjectStore>,
    /// The prefix of all keys of the database, without slashes at its ends; may be empty.
    pub prefix: String,
    /// Who keeps it.
    pub provider: Provider,
    /// What tells the store from all others, on this machine and over time: service and bucket, or the folder. For caches, not
    /// for people. `None` for memory, which is another store every time.
    pub address: Option<String>,
    /// Signs URLs of its objects. `None` for a folder, memory and a ticket, which have no service that would honour them.
    pub presigner: Option<Presigner>,
}

impl std::fmt::Debug for OpenedStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenedStore")
            .field("provider", &self.provider)
            .field("prefix", &self.prefix)
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

/// Opens the store of a URL. Sends no request.
///
/// | URL | store |
/// |---|---|
/// | `s3://bucket/prefix` | S3. `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`, `AWS_REGION`, `AWS_ENDPOINT_URL` and the other `AWS_*` variables; else the profile (`AWS_PROFILE`) in `~/.aws`; else the machine's role |
/// | `gs://bucket/prefix` | Google Cloud Storage. `GOOGLE_SERVICE_ACCOUNT_KEY`, `GOOGLE_APPLICATION_CREDENTIALS` and the other `GOOGLE_*` variables, gcloud's login, the machine's role; `STORAGE_EMULATOR_HOST` for an emulator |
/// | `az://container/prefix` | Azure. `AZURE_STORAGE_ACCOUNT_NAME`, `AZURE_STORAGE_ACCOUNT_KEY`, `AZURE_STORAGE_CONNECTION_STRING` and the other `AZURE_*` variables; `AZURITE_BLOB_STORAGE_URL` for an emulator |
/// | `file:///dir/name`, `./dir/name`, `/dir/name` | a folder; the last name is the prefix in the folder above it |
/// | `memory:` | this process, until the store is dropped |
/// | `ticket:FILE` | the one version of a view ticket, to read, or with `signer_token` what comes after it; see [`TicketStore`](crate::TicketStore). The file is read at once |
///
/// Errors: `InvalidArgument` for a URL that names no store, plain HTTP that was not permitted, and settings that do not
/// fit together; those of [`read_ticket`](crate::read_ticket).
pub fn open_store(url: &str, options: &StoreOptions) -> Result<OpenedStore> {
    open_with(url, options, &Variables::of_process())
}

fn open_with(url: &str, options: &StoreOptions, variables: &Variables) -> Result<OpenedStore> {
    if url == "memory:" || url == "memory://" {
        let store = Arc::new(MemoryStore::new(Arc::new(TokioHost::new())));
        let prefix = String::new();
        return Ok(OpenedStore { store, prefix, provider: Provider::Memory, address: None, presigner: None });
    }
    if let Some(file) = url.strip_prefix("ticket:") {
        let mut store = TicketStore::new(read_ticket(file)?, options.allow_http)?;
        if let Some(token) = &options.signer_token {
            store = store.following(token.clone())?;
        }
        let (prefix, store) = (store.ticket().prefix.clone(), Arc::new(store));
        return Ok(OpenedStore { store, prefix, provider: Provider::Ticket, address: None, presigner: None });
    }
    let (scheme, rest) = match url.split_once("://") {
        Some((scheme, rest)) => (scheme, rest),
        None => ("", url),
    };
    let (cloud, prefix, provider, address): (CloudStore, _, _, _) = match scheme {
        "s3" => {
            let (bucket, prefix) = bucket_and_prefix(url, rest)?;
            let (store, address) = s3::open(bucket, options, variables)?;
            (store, prefix, Provider::S3, address)
        }
        "gs" => {
            let (bucket, prefix) = bucket_and_prefix(url, rest)?;
            let (store, address) = gcs::open(bucket, options, variables)?;
            (store, prefix, Provider::Gcs, address)
        }
        "az" => {
            let (container, prefix) = bucket_and_prefix(url, rest)?;
            let (store, address) = azure::open(container, options, variables)?;
            (store, prefix, Provider::Azure, address)
        }
        "file" | "" => {
            let (store, prefix) = folder::open(url, rest, scheme == "file")?;
            let address = Some(format!("file {}", store.root().display()));
            let (store, provider) = (Arc::new(store), Provider::Folder);
            return Ok(OpenedStore { store, prefix, provider, address, presigner: None });
        }
        other => {
            return Err(invalid(
                url,
                &format!("no store is named {other}://; there are s3, gs, az, file, memory: and ticket:"),
            ));
        }
    };
    let (presigner, address) = (Some(cloud.presigner()), Some(address));
    Ok(OpenedStore { store: Arc::new(cloud), prefix, provider, address, presigner })
}

/// `bucket/some/prefix/` to `bucket` and `some/prefix`.
fn bucket_and_prefix<'a>(url: &str, rest: &'a str) -> Result<(&'a str, String)> {
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    if bucket.is_empty() {
        return Err(invalid(url, "it names no bucket"));
    }
    if bucket.contains(['?', '#', '@', ':']) {
        return Err(invalid(
            url,
            "a bucket's name has no '?', '#', '@' or ':' (options are not part of the URL)",
        ));
    }
    let prefix = prefix.trim_end_matches('/');
    if prefix.split('/').any(|segment| matches!(segment, "." | ".."))
        || prefix.contains("//")
        || prefix.starts_with('/')
    {
        return Err(invalid(url, "a prefix has no empty, '.' or '..' segment"));
    }
    Ok((bucket, prefix.to_owned()))
}

/// Refuses an address in the clear unless it was permitted.
fn permit(address: &str, permitted: bool) -> Result<()> {
    if address.starts_with("http://") && !permitted {
        let why = "it is plain HTTP, on which anybody may read and change the data; permit it by allow_http (--allow-http)";
        return Err(invalid(address, why));
    }
    Ok(())
}

fn invalid(what: &str, why: &str) -> Error {
    Error::InvalidArgument { what: format!("{what:?}: {why}") }
}

#[cfg(test)]
mod tests {
    use isledb_core::ErrorKind;

    use super::*;

    fn open(url: &str, options: &StoreOptions, variables: &[(&str, &str)]) -> Result<OpenedStore> {
        open_with(url, options, &Variables::of(variables))
    }

    const AWS: [(&str, &str); 2] = [("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "s")];

    #[test]
    fn urls_name_store_and_prefix() {
        for (url, provider, prefix) in [
            ("s3://b/some/prefix", Provider::S3, "some/prefix"),
            ("s3://b/prefix/", Provider::S3, "prefix"),
            ("s3://b", Provider::S3, ""),
            ("s3://b/", Provider::S3, ""),
            ("memory:", Provider::Memory, ""),
            ("file:///tmp/x/db", Provider::Folder, "db"),
            ("/tmp/x/db/", Provider::Folder, "db"),
            ("./db", Provider::Folder, "db"),
            ("db", Provider::Folder, "db"),
        ] {
            let opened = open(url, &StoreOptions::default(), &AWS).unwrap();
            assert_eq!((opened.provider, opened.prefix.as_str()), (provider, prefix), "{url}");
        }
        let gcs = [("STORAGE_EMULATOR_HOST", "http://127.0.0.1:4443")];
        let opened = open("gs://b/p", &StoreOptions::default(), &gcs).unwrap();
        assert_eq!((opened.provider, opened.prefix.as_str()), (Provider::Gcs, "p"));
        let azure = [("AZURE_STORAGE_ACCOUNT_NAME", "a"), ("AZURE_STORAGE_ACCOUNT_KEY", "YWFh")];
        let opened = open("az://c/p/q", &StoreOptions::default(), &azure).unwrap();
        assert_eq!((opened.provider, opened.prefix.as_str()), (Provider::Azure, "p/q"));
    }

    #[test]
    fn what_names_no_store_is_refused_with_a_reason() {
        for (url, reason) in [
            ("", "names no folder"),
            ("s3://", "names no bucket"),
            ("s3:///p", "names no bucket"),
            ("s3://b?region=x/p", "not part of the URL"),
            ("s3://b/../p", "'..' segment"),
            ("s3://b//p", "empty"),
            ("http://host/b", "no store is named http"),
            ("file://host/dir", "file:///"),
        ] {
            let error = open(url, &StoreOptions::default(), &AWS).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{url}");
            assert!(error.to_string().contains(reason), "{url}: {error}");
        }
    }

    #[test]
    fn plain_http_must_be_permitted() {
        let endpoint = Some("http://127.0.0.1:9000".to_owned());
        let plain = StoreOptions { endpoint: endpoint.clone(), ..StoreOptions::default() };
        let permitted = StoreOptions { endpoint, allow_http: true, ..StoreOptions::default() };
        let azure = [("AZURE_STORAGE_ACCOUNT_NAME", "a"), ("AZURE_STORAGE_ACCOUNT_KEY", "YWFh")];
        let gcs = [("GOOGLE_SKIP_SIGNATURE", "true"), ("GOOGLE_BEARER_TOKEN", "t")];
        for (url, variables) in [("s3://b/p", &AWS), ("az://b/p", &azure), ("gs://b/p", &gcs)] {
            let error = open(url, &plain, variables).unwrap_err();
            assert!(error.to_string().contains("plain HTTP"), "{url}: {error}");
            open(url, &permitted, variables).unwrap();
        }
        let from_environment = [AWS[0], AWS[1], ("AWS_ENDPOINT_URL", "http://127.0.0.1:9000")];
        let error = open("s3://b/p", &StoreOptions::default(), &from_environment).unwrap_err();
        assert!(error.to_string().contains("plain HTTP"), "{error}");
        let [id, secret, address] = from_environment;
        open("s3://b/p", &StoreOptions::default(), &[id, secret, address, ("AWS_ALLOW_HTTP", "true")])
            .unwrap();
    }
}
