//! The tour, as a person runs it for the first time.

mod support;

use support::{Place, isledb, lines};

#[test]
fn the_tour_loads_follows_reads_back_and_leaves_the_folder() {
    let place = Place::new();
    let url = place.url();
    let ran = isledb(&["demo", "--dir", &url]);
    let said = format!("{}{}", ran.stdout, ran.stderr);
    assert!(!said.contains(['\x1b', '\r']), "plain where nobody looks");
    let text = ran.ok();
    for part in [
        "27,004 flights",
        "ok 27,004 rows",
        "ok all 27,004 rows are what was loaded",
        "round trips",
        "on S3",
        "manifest/CURRENT",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert_eq!(isledb(&["scan", &url, "--count"]).ok(), "27004\n");
    // Once more, over what is there.
    let phases = lines(&isledb(&["demo", "--dir", &url, "--json"]).ok());
    assert_eq!(phases.len(), 3);
    for phase in &phases {
        assert_eq!(phase["rows"], 27_004);
        assert!(phase["usd_s3"].as_f64().unwrap() > 0.0);
    }
    assert_eq!(isledb(&["scan", &url, "--count"]).ok(), "27004\n");
}

#[test]
fn a_folder_that_holds_something_else_is_left_alone() {
    let place = Place::new();
    std::fs::create_dir(place.path("db")).unwrap();
    std::fs::write(place.path("db/thesis.tex"), "do not touch").unwrap();
    assert!(isledb(&["demo", "--dir", &place.url()]).failed(2).contains("holds something else"));
    assert_eq!(std::fs::read_dir(place.path("db")).unwrap().count(), 1);
}
