//! `isledb serve`.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args as Flags;
use isledb::host::Host;
use isledb::{TokioHost, ticket};

use super::Context;
use crate::duration;
use crate::exit::{Failure, Outcome};
use crate::json::Line;
use crate::output;
use crate::signer::{self, Access, Databases, Limits, Links, Origins, Signer};

/// Serve a signer: presigned URLs and view tickets for whoever has a token
#[derive(Debug, Flags)]
#[command(after_help = "\
POST /v1/sign gives presigned URLs for objects of these databases, POST /v1/ticket gives view tickets;
both want \"Authorization: Bearer TOKEN\". Nothing else can be named: no other prefix, no listing, no
deletion, and no writing without --write. A folder has no presigned URLs, so the signer makes links
of its own and serves the objects behind them; they end with the process.

It speaks plain HTTP: where others reach it, put a proxy with TLS in front and say so with
--public-url. What is refused is one line on standard error. Ctrl-C or SIGTERM ends it; that is a
success.

Examples:
  isledb serve s3://bucket/db --token tokens.txt --allow-origin https://app.example
  ISLEDB_SERVE_TOKEN=$(openssl rand -hex 32) isledb serve gs://bucket/a gs://bucket/b
  isledb serve ./db --listen 127.0.0.1:0 --json
  curl -H \"Authorization: Bearer $TOKEN\" -d '{\"prefix\":\"db\"}' http://127.0.0.1:8787/v1/ticket")]
pub(crate) struct Args {
    /// The databases
    #[arg(value_name = "URL", required = true)]
    urls: Vec<String>,
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8787")]
    listen: SocketAddr,
    /// Where clients reach it, if that is not where it listens: https://signer.example
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// Tokens that are let in, one a line; else ISLEDB_SERVE_TOKEN, else one is made and shown
    #[arg(long, value_name = "FILE")]
    token: Option<PathBuf>,
    /// A page that may call: https://host, or * for all; may be given again
    #[arg(long, value_name = "ORIGIN")]
    allow_origin: Vec<String>,
    /// Calls a second for each token, 1 to 100,000
    #[arg(long, value_name = "N/s", default_value = "20/s", value_parser = rate)]
    rate: NonZeroU32,
    /// How long a presigned URL is good for, 10s to 1h; one to write with at most 10m
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = ttl)]
    ttl: Duration,
    /// Give out URLs to write with, too, for everything but what decides about deletion
    #[arg(long)]
    write: bool,
}

/// The tokens, where there is no file of them.
const TOKEN_VARIABLE: &str = "ISLEDB_SERVE_TOKEN";

pub(crate) async fn run(args: Args, context: &mut Context) -> Outcome {
    let origins = Origins::of(&args.allow_origin)?;
    let (tokens, made) = tokens(&args)?;
    let access = Access::new(&tokens, args.rate)?;
    let connections = args.urls.iter().map(|url| context.connect(url)).collect::<Outcome<Vec<_>>>()?;
    let databases = Databases::new(connections)?;
    let (listener, address) = signer::listen(args.listen).await?;
    let public_url = public_url(args.public_url, address)?;
    let links = Links::new(&TokioHost::new());
    let signer = Signer { databases, access, links, ttl: args.ttl, write: args.write, public_url };
    if !address.ip().is_loopback() && signer.public_url.starts_with("http://") {
        output::note(
            "note: tokens and URLs travel in the clear; put a proxy with TLS in front (--public-url)",
        );
    }
    let out = &mut context.out;
    if out.is_json() {
        let line =
            Line::new().field("listening", address.to_string()).field("public_url", &signer.public_url);
        out.json(line.field("token", made.as_ref()))?;
    } else {
        out.line(format!(
            "signing for {} at {}",
            output::counted(args.urls.len() as u64, "database"),
            signer.public_url
        ))?;
        if let Some(token) = &made {
            out.line(format!("token {token} (made for this run)"))?;
        }
    }
    out.flush()?;
    signer::run(
        listener,
        signer::router(Arc::new(signer), &origins),
        Limits::default(),
        context.interrupt.clone(),
    )
    .await
}

/// The tokens, and the one that had to be made.
fn tokens(args: &Args) -> Outcome<(Vec<String>, Option<String>)> {
    if let Some(path) = &args.token {
        let shown = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|error| Failure::file(&shown, &error))?;
        return Ok((Access::tokens_of(&text), None));
    }
    if let Ok(text) = std::env::var(TOKEN_VARIABLE)
        && !text.trim().is_empty()
    {
        return Ok((Access::tokens_of(&text), None));
    }
    let mut random = [0; 32];
    TokioHost::new().fill_random(&mut random);
    let made = hex::encode(random);
    Ok((vec![made.clone()], Some(made)))
}

fn public_url(given: Option<String>, address: SocketAddr) -> Outcome<String> {
    match given {
        Some(url) if ticket::is_url(&url) && !url.contains('?') => Ok(url.trim_end_matches('/').to_owned()),
        Some(url) => {
            Err(Failure::usage(format!("--public-url {url:?}"))
                .advise("write it as https://host[:port][/path]"))
        }
        None if address.ip().is_unspecified() => Err(Failure::usage(format!(
            "{address} is every address of this machine, so links would name none"
        ))
        .advise("say with --public-url where clients reach it")),
        None => Ok(format!("http://{address}")),
    }
}

/// `20/s`, or `20`.
fn rate(text: &str) -> Result<NonZeroU32, String> {
    let number = text.strip_suffix("/s").unwrap_or(text);
    let number = number.parse::<u32>().ok().filter(|n| *n <= 100_000).and_then(NonZeroU32::new);
    number.ok_or_else(|| "write it like 20/s, from 1/s to 100000/s".to_owned())
}

fn ttl(text: &str) -> Result<Duration, String> {
    let ttl = duration::parse(text)?;
    let allowed = Duration::from_secs(10)..=Duration::from_secs(3600);
    if allowed.contains(&ttl) { Ok(ttl) } else { Err("from 10s to 1h are possible".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_and_lives_have_bounds() {
        assert_eq!(rate("20/s").map(NonZeroU32::get), Ok(20));
        assert_eq!(rate("1").map(NonZeroU32::get), Ok(1));
        for bad in ["", "0/s", "-1/s", "100001/s", "20/m"] {
            assert!(rate(bad).is_err(), "{bad}");
        }
        assert_eq!(ttl("5m"), Ok(Duration::from_secs(300)));
        for bad in ["9s", "61m", "5"] {
            assert!(ttl(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn clients_need_an_address() {
        let public = |given: Option<&str>, address: &str| {
            public_url(given.map(str::to_owned), address.parse().unwrap())
        };
        assert_eq!(public(None, "127.0.0.1:7").unwrap(), "http://127.0.0.1:7");
        assert_eq!(public(Some("https://s.example/x/"), "0.0.0.0:7").unwrap(), "https://s.example/x");
        assert!(public(None, "0.0.0.0:7").is_err());
        assert!(public(Some("s.example"), "127.0.0.1:7").is_err());
    }
}
