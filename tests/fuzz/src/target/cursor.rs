//! The text of a cursor: as it is, and with a right checksum.

use isledb_core::tail::Cursor;

pub(super) fn run(input: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(input) else { return false };
    let _ = text.parse::<Cursor>();
    let covered = text.rsplit_once('.').map_or(text, |(covered, _)| covered);
    let Ok(cursor) = sealed(covered).parse::<Cursor>() else { return false };
    assert_eq!(cursor.to_string().parse(), Ok(cursor));
    true
}

fn sealed(text: &str) -> String {
    format!("{text}.{:08x}", crc32c::crc32c(text.as_bytes()))
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let texts = [
        "c1.42.1007.3.0",
        "c1.5.0.1.0.s5:",
        "c1.5.0.1.0.h5:YQ.s7:Yg",
        "c1.6.9.1.0.h5:YQ.h6:Yg.e7:",
        "c1.5.0.1.0.h5:Yg.h8:ZA.e9:",
    ];
    texts.map(|text| sealed(text).into_bytes()).into()
}
