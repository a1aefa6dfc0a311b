//! Plain JavaScript objects.

use js_sys::{Array, BigInt, Object, Reflect, Uint8Array};
use wasm_bindgen::JsValue;

/// An object that is being made, field by field. A number holds integers up to 2^53; a `bigint` all.
pub(crate) struct Record(Object);

impl Record {
    pub(crate) fn new() -> Record {
        Record(Object::new())
    }

    pub(crate) fn value(self, name: &str, value: impl Into<JsValue>) -> Record {
        // A fresh object refuses no field.
        let _ = Reflect::set(&self.0, &JsValue::from_str(name), &value.into());
        self
    }

    pub(crate) fn text(self, name: &str, text: &str) -> Record {
        self.value(name, JsValue::from_str(text))
    }

    pub(crate) fn maybe_text(self, name: &str, text: Option<&str>) -> Record {
        self.value(name, text.map_or(JsValue::UNDEFINED, JsValue::from_str))
    }

    pub(crate) fn number(self, name: &str, number: u64) -> Record {
        self.value(name, number as f64)
    }

    pub(crate) fn maybe_number(self, name: &str, number: Option<u64>) -> Record {
        self.value(name, number.map_or(JsValue::UNDEFINED, |number| JsValue::from_f64(number as f64)))
    }

    pub(crate) fn bigint(self, name: &str, number: u64) -> Record {
        self.value(name, BigInt::from(number))
    }

    pub(crate) fn maybe_bigint(self, name: &str, number: Option<u64>) -> Record {
        self.value(name, number.map_or(JsValue::UNDEFINED, |number| BigInt::from(number).into()))
    }

    pub(crate) fn flag(self, name: &str, flag: bool) -> Record {
        self.value(name, flag)
    }

    pub(crate) fn bytes(self, name: &str, bytes: &[u8]) -> Record {
        self.value(name, Uint8Array::from(bytes))
    }

    pub(crate) fn list(self, name: &str, items: impl Iterator<Item = JsValue>) -> Record {
        self.value(name, items.collect::<Array>())
    }
}

impl From<Record> for JsValue {
    fn from(record: Record) -> JsValue {
        record.0.into()
    }
}
