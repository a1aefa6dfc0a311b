//! From a module to a component, and what kind of plugin it is.

use wit_component::{ComponentEncoder, DecodedWasm, decode};

use crate::BuildError;

/// The interfaces of `isledb:plugin@0.1.0` and their worlds.
const KINDS: &[(&str, &str)] = &[
    ("isledb:plugin/compaction@0.1.0", "compaction-filter"),
    ("isledb:plugin/lsn@0.1.0", "lsn-extractor"),
    ("isledb:plugin/transform@0.1.0", "value-transform"),
    ("isledb:plugin/format@0.1.0", "key-formatter"),
];

/// Makes a component of a core module that says which world it is of, as those of wit-bindgen do, in any language. Returns
/// the world and the component.
///
/// Errors: `NoComponent`; `NoPlugin` and `Imports` where a host would refuse it.
pub fn componentize(name: &str, module: &[u8]) -> Result<(&'static str, Vec<u8>), BuildError> {
    let component =
        encode(module).map_err(|message| BuildError::NoComponent { name: name.to_owned(), message })?;
    let (imports, exports) =
        surface(&component).map_err(|message| BuildError::NoComponent { name: name.to_owned(), message })?;
    if !imports.is_empty() {
        return Err(BuildError::Imports { name: name.to_owned(), imports });
    }
    match exports.as_slice() {
        [export] => KINDS.iter().find(|(interface, _)| interface == export).map(|(_, world)| *world),
        _ => None,
    }
    .map(|world| (world, component))
    .ok_or_else(|| BuildError::NoPlugin { name: name.to_owned(), exports })
}

fn encode(module: &[u8]) -> Result<Vec<u8>, String> {
    let encoder = ComponentEncoder::default().validate(true).module(module);
    encoder.and_then(|mut encoder| encoder.encode()).map_err(|error| format!("{error:#}"))
}

/// The names of what it imports and of what it exports.
fn surface(component: &[u8]) -> Result<(Vec<String>, Vec<String>), String> {
    let DecodedWasm::Component(resolve, world) = decode(component).map_err(|error| format!("{error:#}"))?
    else {
        return Err("it is a WIT package".to_owned());
    };
    let world = &resolve.worlds[world];
    let names = |items: Vec<_>| items.into_iter().map(|key| resolve.name_world_key(key)).collect();
    Ok((names(world.imports.keys().collect()), names(world.exports.keys().collect())))
}
