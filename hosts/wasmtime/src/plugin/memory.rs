//! Holds a call to its memory, and remembers what it asked for in vain.

use wasmtime::ResourceLimiter;

/// Elements of one table: references to functions, for calls through pointers.
const MAX_TABLE_ELEMENTS: usize = 100_000;
/// Core instances, memories and tables of one component: the plugin itself and what a toolchain puts around it.
const MAX_INSTANCES: usize = 16;

/// The state of a store: how much memory its instances have, and may have.
pub(super) struct Memory {
    limit: u64,
    used: u64,
    /// What was asked for when the limit was passed.
    pub(super) refused: Option<u64>,
}

impl Memory {
    pub(super) fn new(limit: u64) -> Memory {
        Memory { limit, used: 0, refused: None }
    }
}

impl ResourceLimiter for Memory {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let wanted = self.used.saturating_add((desired - current) as u64);
        if wanted > self.limit {
            self.refused = Some(wanted);
            // An error traps. With `false` the plugin could go on without the memory, and decide by that.
            return Err(wasmtime::Error::msg("the plugin may not have so much memory"));
        }
        self.used = wanted;
        Ok(true)
    }

    fn table_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        if desired > MAX_TABLE_ELEMENTS {
            let message = format!("a table of {desired} elements, at most {MAX_TABLE_ELEMENTS} are allowed");
            return Err(wasmtime::Error::msg(message));
        }
        Ok(true)
    }

    fn instances(&self) -> usize {
        MAX_INSTANCES
    }

    fn tables(&self) -> usize {
        MAX_INSTANCES
    }

    fn memories(&self) -> usize {
        MAX_INSTANCES
    }
}
