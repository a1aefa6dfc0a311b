//! bench: every phase is there, and nothing stays behind.

mod support;

use support::{Place, isledb};

const PHASES: [&str; 10] = [
    "ingest",
    "commit",
    "follow",
    "get cold",
    "get first",
    "get warm",
    "get many",
    "scan",
    "scan reverse",
    "tail",
];

#[test]
fn every_phase_is_measured_and_nothing_stays_behind() {
    let place = Place::new();
    let url = place.url();
    let small = ["--count", "2000", "--reads", "40", "--cold", "2", "--commits", "2"];
    let arguments = [&["bench", &url, "--json"][..], &small].concat();
    let ran = isledb(&arguments);
    assert!(ran.stderr.contains("is removed at the end"), "{}", ran.stderr);
    let lines = ran.json();
    assert_eq!(lines.iter().map(|line| line["phase"].as_str().unwrap()).collect::<Vec<_>>(), PHASES);
    let operations: Vec<u64> = lines.iter().map(|line| line["operations"].as_u64().unwrap()).collect();
    assert_eq!(operations, [2000, 2, 2, 2, 40, 40, 1, 2004, 2004, 2004]);
    for line in &lines {
        let us = |name: &str| line[name].as_f64().unwrap();
        assert!(us("p50_us") <= us("p99_us") && us("p99_us") <= us("max_us") * 1.01, "{line}");
        assert!(us("p50_us") > 0.01 && line["per_second"].as_f64().unwrap() > 0.0, "{line}");
    }
    assert!(lines[0]["requests"]["put"].as_u64().unwrap() > 0);
    assert_eq!(lines[5]["requests"]["get"], 0, "a warm get asks for nothing");
    assert_eq!(place.objects(""), Vec::<std::path::PathBuf>::new());

    let arguments = [&["bench", &url, "--keep"][..], &small].concat();
    let ran = isledb(&arguments);
    let kept = ran.stderr.split(", which stays").next().unwrap().rsplit(' ').next().unwrap().to_owned();
    let text = ran.ok();
    assert!(PHASES.iter().all(|phase| text.contains(&format!("\n{phase} "))), "{text}");
    assert_eq!(isledb(&["scan", &kept, "--count"]).ok(), "2004\n");
}
