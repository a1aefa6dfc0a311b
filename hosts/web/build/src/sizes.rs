//! What a browser has to download, against its budget.

use std::path::Path;
use std::process::Command;

use crate::{Entry, Outcome};

/// Prints the sizes of one entry: its module, and the JavaScript that `entry` imports, file by file.
///
/// Errors: more than its budget.
pub(crate) fn check(entry: &Entry, js: &Path) -> Outcome {
    let out = Command::new("node")
        .arg(js.join("build/sizes.mjs"))
        .arg(js.join("dist"))
        .arg(entry.name)
        .output()
        .map_err(|error| format!("node: {error}"))?;
    let text = String::from_utf8_lossy(&out.stdout);
    let total = text.split_whitespace().last().and_then(|word| word.parse::<u64>().ok());
    let Some(total) = total.filter(|_| out.status.success()) else {
        return Err(format!("sizes.mjs: {}", String::from_utf8_lossy(&out.stderr)));
    };
    print!("{text}");
    if total > entry.budget {
        return Err(format!(
            "{} has {total} bytes of brotli, {} are its budget: see what grew with `ISLEDB_WASM_NAMES=1`, \
             or raise the budget in hosts/web/build with a reason",
            entry.name, entry.budget
        ));
    }
    Ok(())
}
