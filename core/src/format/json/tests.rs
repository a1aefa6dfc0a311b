//! The reader and the writer against an independent implementation.

#![allow(clippy::unwrap_used, reason = "a test that fails should stop where it fails")]

use proptest::prelude::*;

use super::*;

fn skips(text: &[u8]) -> bool {
    let skipped = Reader::new(text, Rules::Exact).and_then(|mut reader| {
        reader.skip()?;
        reader.end()
    });
    skipped.is_ok()
}

fn words(any_of: &'static [&str]) -> impl Strategy<Value = String> {
    proptest::sample::select(any_of).prop_map(str::to_owned)
}

proptest! {
    /// Words of JSON in any order, and mutilated: the same texts are JSON for both.
    #[test]
    fn the_same_texts_are_json(
        words in proptest::collection::vec(
            prop_oneof![
                4 => words(&["{", "}", "[", "]", ",", ":", "\"a\":", "{\"a\":", "[1", "{}"]),
                1 => words(&["true", "false", "null", "nul", "\u{fe}", " ", "\n", "\t"]),
                1 => "-?[0-9]{0,3}(\\.[0-9]{0,2})?([eE][+-]?[0-9]{0,2})?",
                1 => "\"([a-z\u{1}\u{e9}]|\\\\[\"\\\\/bfnrtux]|\\\\u[0-9a-fD]{4}){0,4}\"",
            ],
            0..8,
        ),
    ) {
        let text = words.concat();
        let theirs = serde_json::from_str::<serde_json::Value>(&text);
        // They make a float of every number; what is only skipped may be beyond them.
        prop_assume!(!matches!(&theirs, Err(error) if error.to_string().starts_with("number out of range")));
        prop_assert_eq!(skips(text.as_bytes()), theirs.is_ok(), "{:?}", text);
    }

    #[test]
    fn strings_are_written_and_read_again(text in any::<String>()) {
        let written = encode_text(&text);
        prop_assert_eq!(&written, &serde_json::to_string(&text).unwrap());
        prop_assert_eq!(&read::<String>(written.as_bytes(), Rules::Exact).unwrap(), &text);
        let as_go = encode_plain(&text);
        prop_assert!(!as_go.iter().any(|byte| b"<>&".contains(byte)));
        prop_assert_eq!(&read::<String>(&as_go, Rules::Exact).unwrap(), &text);
        prop_assert_eq!(&serde_json::from_slice::<String>(&as_go).unwrap(), &text);
    }

    #[test]
    fn the_same_strings_are_read(text in "\"([a-z\u{1}\u{e9}]|\\\\[\"\\\\/bfnrtux]|\\\\u[dD][89a-fA-F0][0-9a-f]{2}){0,4}\"") {
        let ours = read::<String>(text.as_bytes(), Rules::Exact).ok();
        prop_assert_eq!(ours, serde_json::from_str::<String>(&text).ok());
    }

    #[test]
    fn the_same_integers_are_read(text in "-?[0-9]{1,20}(\\.0|e1)?") {
        let text = text.as_bytes();
        prop_assert_eq!(read::<u64>(text, Rules::Exact).ok(), serde_json::from_slice::<u64>(text).ok());
        prop_assert_eq!(read::<i64>(text, Rules::Exact).ok(), serde_json::from_slice::<i64>(text).ok());
        prop_assert_eq!(read::<u32>(text, Rules::Exact).ok(), serde_json::from_slice::<u32>(text).ok());
        prop_assert_eq!(read::<i32>(text, Rules::Exact).ok(), serde_json::from_slice::<i32>(text).ok());
    }
}

#[test]
fn integers_are_read_to_their_bounds() {
    let bounds = ["0", "18446744073709551615", "-9223372036854775808", "9223372036854775807", "2147483648"];
    for text in bounds.into_iter().chain(["18446744073709551616", "-9223372036854775809", "-0", "4294967296"])
    {
        let text = text.as_bytes();
        assert_eq!(read::<u64>(text, Rules::Exact).ok(), serde_json::from_slice::<u64>(text).ok());
        assert_eq!(read::<i64>(text, Rules::Exact).ok(), serde_json::from_slice::<i64>(text).ok());
        assert_eq!(read::<u32>(text, Rules::Exact).ok(), serde_json::from_slice::<u32>(text).ok());
        assert_eq!(read::<i32>(text, Rules::Exact).ok(), serde_json::from_slice::<i32>(text).ok());
    }
}

#[test]
fn nesting_is_bounded() {
    let nested = |depth: usize| [vec![b'['; depth], vec![b']'; depth]].concat();
    assert!(skips(&nested(127)));
    assert!(!skips(&nested(128)));
    assert!(!skips(&vec![b'['; 1 << 20]));
}

#[derive(Debug, Default, PartialEq)]
struct Sample {
    number: u64,
    text: String,
    list: Vec<u64>,
    maybe: Option<u64>,
}

object!(Sample { number: "Number" required, text: "Text", list: "List" omit_empty, maybe: "Maybe" omit_empty });

#[test]
fn an_object_is_read_by_the_rules() {
    let exact = |text: &str| {
        read::<Sample>(text.as_bytes(), Rules::Exact).map_err(|e| e.in_document("o", "w").to_string())
    };
    let go = |text: &str| {
        read::<Sample>(text.as_bytes(), Rules::Go).map_err(|e| e.in_document("o", "w").to_string())
    };
    let one = Sample { number: 1, ..Sample::default() };
    assert_eq!(exact(r#"{"Number":1,"other":{"Number":[2]}}"#), Ok(one));
    assert_eq!(
        exact(r#"{"number":1}"#).unwrap_err(),
        "o at byte 12: corrupt: expected w, found no field \"Number\""
    );
    assert!(exact(r#"{"Number":1,"Number":1}"#).unwrap_err().ends_with("found the field \"Number\" twice"));
    assert!(exact(r#"{"Number":null}"#).unwrap_err().contains("\"null}\" instead of a number"));
    assert!(exact(r#"{"Number":1}}"#).unwrap_err().ends_with("instead of the end of the document"));
    let all = Sample { number: 2, text: "t".into(), list: vec![1, 2], maybe: Some(3) };
    assert_eq!(go(r#"{"NUMBER":1,"text":"t","li\u017ft":[1,2],"maybe":3,"number":2,"text":null}"#), Ok(all));
    assert!(go(r#"{"number":null}"#).unwrap_err().contains("no field \"Number\""));
    let empty = Sample { number: 0, ..Sample::default() };
    assert_eq!(encode_text(&empty), r#"{"Number":0,"Text":""}"#);
}
