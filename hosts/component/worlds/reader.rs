//! The world `reader` as a module: what the crate exports under the features that go with it.

use isledb_component as _;
