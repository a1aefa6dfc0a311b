//! The objects of the simulated store: what a request does at the moment when it takes effect.

use std::collections::BTreeMap;

use bytes::Bytes;
use isledb_core::error::{Error, Result};
use isledb_core::host::{ListPage, ObjectMeta, PutCondition, Version};

/// An object as it is now.
#[derive(Debug, Clone)]
pub struct Object {
    /// Its bytes.
    pub body: Bytes,
    /// Its version.
    pub version: Version,
    /// Unix milliseconds by the store's clock.
    pub last_modified_ms: u64,
}

/// All objects. Every change is one method call, so every request takes effect at one moment.
#[derive(Debug, Default)]
pub struct Objects {
    map: BTreeMap<String, Object>,
    versions: u64,
    /// Earlier contents of names that were overwritten, oldest first: what a store that serves stale reads would show.
    overwritten: BTreeMap<String, Vec<Object>>,
}

impl Objects {
    /// The object of that name.
    pub fn get(&self, key: &str) -> Option<&Object> {
        self.map.get(key)
    }

    /// The content before the present one, where there was one.
    pub fn previous(&self, key: &str) -> Option<&Object> {
        self.overwritten.get(key).and_then(|all| all.last())
    }

    /// All names, in order.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.map.keys().map(String::as_str)
    }

    /// Whether a put on that condition may happen now.
    pub fn holds(&self, key: &str, condition: &PutCondition) -> bool {
        match (condition, self.map.get(key)) {
            (PutCondition::None, _) | (PutCondition::IfAbsent, None) => true,
            (PutCondition::IfAbsent, Some(_)) | (PutCondition::IfMatch(_), None) => false,
            (PutCondition::IfMatch(version), Some(now)) => now.version == *version,
        }
    }

    /// Writes an object, if the condition holds. Versions are unique: no two writes of one run have the same.
    pub fn put(&mut self, key: &str, body: Bytes, condition: &PutCondition, now_ms: u64) -> Result<Version> {
        if !self.holds(key, condition) {
            return Err(Error::Precondition { object: key.to_owned() });
        }
        self.versions += 1;
        let version = Version::new(format!("v{}", self.versions));
        let object = Object { body, version: version.clone(), last_modified_ms: now_ms };
        if let Some(before) = self.map.insert(key.to_owned(), object) {
            self.overwritten.entry(key.to_owned()).or_default().push(before);
        }
        Ok(version)
    }

    /// Removes an object; a missing one is fine.
    pub fn delete(&mut self, key: &str) {
        self.map.remove(key);
    }

    /// One page of a listing.
    pub fn list(&self, prefix: &str, start_after: Option<&str>, page: usize) -> ListPage {
        let mut found = self
            .map
            .range(prefix.to_owned()..)
            .take_while(|(key, _)| key.starts_with(prefix))
            .filter(|(key, _)| start_after.is_none_or(|after| key.as_str() > after));
        let objects: Vec<ObjectMeta> =
            found.by_ref().take(page).map(|(key, object)| meta(key, object)).collect();
        ListPage { more: found.next().is_some(), objects }
    }
}

pub(super) fn meta(key: &str, object: &Object) -> ObjectMeta {
    ObjectMeta {
        key: key.to_owned(),
        size: object.body.len() as u64,
        version: Some(object.version.clone()),
        last_modified_ms: Some(object.last_modified_ms),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_hold_as_the_contract_says() {
        let mut objects = Objects::default();
        let absent = PutCondition::IfMatch(Version::new("v1"));
        assert!(
            objects.put("a", Bytes::from_static(b"1"), &absent, 0).is_err(),
            "if-match on an absent object"
        );
        let first = objects.put("a", Bytes::from_static(b"1"), &PutCondition::IfAbsent, 0).unwrap();
        assert!(objects.put("a", Bytes::from_static(b"2"), &PutCondition::IfAbsent, 0).is_err());
        let second =
            objects.put("a", Bytes::from_static(b"1"), &PutCondition::IfMatch(first.clone()), 0).unwrap();
        assert_ne!(first, second, "the same bytes again are another version");
        assert!(objects.put("a", Bytes::from_static(b"3"), &PutCondition::IfMatch(first), 0).is_err());
        assert_eq!(objects.previous("a").unwrap().body.as_ref(), b"1");
    }

    #[test]
    fn listings_come_in_pages() {
        let mut objects = Objects::default();
        for key in ["a/1", "a/2", "a/3", "b/1"] {
            objects.put(key, Bytes::new(), &PutCondition::None, 0).unwrap();
        }
        let page = objects.list("a/", None, 2);
        assert_eq!(page.objects.iter().map(|o| o.key.as_str()).collect::<Vec<_>>(), ["a/1", "a/2"]);
        assert!(page.more);
        let rest = objects.list("a/", Some("a/2"), 2);
        assert_eq!(rest.objects.len(), 1);
        assert!(!rest.more);
    }
}
