//! The text of a view ticket, from whoever it comes.

use isledb_core::ErrorKind;
use isledb_core::format::manifest::Current;
use isledb_core::ticket::{Follow, Ticket, TicketCurrent, TicketRange, decode, encode, is_url};

use crate::archive::NOW_MS;

pub(super) fn run(input: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(input) else { return false };
    match decode(text, NOW_MS) {
        Ok(ticket) => {
            assert!(ticket.objects.values().all(|url| is_url(url)));
            assert!(ticket.check_time(NOW_MS).is_ok());
            assert_eq!(decode(&encode(&ticket).unwrap(), NOW_MS), Ok(ticket));
            true
        }
        Err(error) => {
            assert!(error.object().is_some() || error.kind() == ErrorKind::Expired, "{error}");
            false
        }
    }
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let max_view_age_ms = 3_600_000;
    let body = Current { next_seq: 3, max_view_age_ms: Some(max_view_age_ms), ..Current::default() }.encode();
    let current = TicketCurrent {
        version: "\"1\"".to_owned(),
        body,
        read_at_ms: NOW_MS - 1000,
        last_modified_ms: None,
    };
    let url =
        |name: &str| format!("https://bucket.example.com/db/{name}?X-Amz-Expires=60&X-Amz-Signature=00");
    let small = Ticket {
        prefix: "db".to_owned(),
        issued_at_ms: NOW_MS,
        expires_at_ms: NOW_MS + 60_000,
        current,
        max_view_age_ms,
        range: TicketRange::default(),
        objects: Default::default(),
        follow: None,
    };
    let names = ["sstable/1-1-7-1.sst", "manifest/log/00000000000000000001.json"];
    let large = Ticket {
        objects: names.iter().map(|name| ((*name).to_owned(), url(name))).collect(),
        follow: Some(Follow {
            current: url("manifest/CURRENT"),
            signer: "https://signer.example.com".to_owned(),
        }),
        ..small.clone()
    };
    [small, large].map(|ticket| encode(&ticket).unwrap().into_bytes()).into()
}
