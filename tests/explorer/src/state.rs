//! One state of the whole: the bucket, what is on its way, where every actor stands, and what may still go wrong.

use xxhash_rust::xxh64::xxh64;

/// An object, by the numbers of its name and content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Object {
    pub(crate) key: u32,
    pub(crate) content: u32,
    /// When it was written.
    pub(crate) tick: u8,
}

/// A write whose sender has heard nothing, and which may still be applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Flight {
    pub(crate) request: u32,
    pub(crate) tick: u8,
}

/// Where an actor stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) node: u32,
    /// How often it died.
    pub(crate) life: u8,
}

#[derive(Debug, Clone)]
pub(crate) struct State {
    /// By the number of the name.
    pub(crate) objects: Vec<Object>,
    /// What every slot of the log was decided to be, be it deleted since: the content's number; 0 where it is open.
    pub(crate) decided: Vec<u32>,
    pub(crate) flights: Vec<Flight>,
    pub(crate) actors: Vec<Place>,
    pub(crate) tick: u8,
    pub(crate) crashes: u8,
    pub(crate) faults: u8,
    pub(crate) switches: u8,
    /// The actor that made the last step; matters where switches are counted.
    pub(crate) last: u8,
    /// Flushes that were acknowledged, and those that were reported as not committed: one bit each.
    pub(crate) acknowledged: u32,
    pub(crate) not_committed: u32,
}

impl State {
    pub(crate) fn object(&self, key: u32) -> Option<&Object> {
        let at = self.objects.binary_search_by_key(&key, |object| object.key).ok()?;
        self.objects.get(at)
    }

    pub(crate) fn put(&mut self, object: Object) {
        match self.objects.binary_search_by_key(&object.key, |object| object.key) {
            Ok(at) => self.objects[at] = object,
            Err(at) => self.objects.insert(at, object),
        }
    }

    pub(crate) fn delete(&mut self, key: u32) {
        if let Ok(at) = self.objects.binary_search_by_key(&key, |object| object.key) {
            self.objects.remove(at);
        }
    }

    /// Its fingerprint; `scratch` is memory to work in.
    pub(crate) fn fingerprint(&self, scratch: &mut Vec<u8>) -> u64 {
        scratch.clear();
        let mut word = |number: u32| scratch.extend_from_slice(&number.to_le_bytes());
        for object in &self.objects {
            word(object.key << 8 | u32::from(object.tick));
            word(object.content);
        }
        word(u32::MAX);
        self.decided.iter().for_each(|content| word(*content));
        word(u32::MAX);
        for flight in &self.flights {
            word(flight.request);
            word(u32::from(flight.tick));
        }
        word(u32::MAX);
        for place in &self.actors {
            word(place.node);
            word(u32::from(place.life));
        }
        word(u32::from_le_bytes([self.tick, self.crashes, self.faults, self.switches]));
        word(u32::from(self.last));
        word(self.acknowledged);
        word(self.not_committed);
        xxh64(scratch, 0)
    }
}
