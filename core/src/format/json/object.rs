//! Which fields an object has: one table for reading and writing it.

/// Implements `Decode` and `Encode` for a struct whose fields are listed in the order in which they are written, each with its
/// name in the document. Fields that are missing keep what they have in the struct's default, or in `value` where `= value;`
/// follows its name, unless they are `required`; `omit_empty` ones are left out where they say nothing.
macro_rules! object {
    ($type:ident { $($fields:tt)* }) => {
        $crate::format::json::object!($type = <$type>::default(); { $($fields)* });
    };
    ($type:ident = $start:expr; { $($field:ident: $name:literal $($how:ident)?),* $(,)? }) => {
        impl $crate::format::json::Decode for $type {
            fn decode(
                reader: &mut $crate::format::json::Reader<'_>,
            ) -> std::result::Result<Self, $crate::format::json::Wrong> {
                #[allow(non_camel_case_types, dead_code, reason = "the fields, by their numbers")]
                enum Field { $($field,)* Count }
                const NAMES: [&str; Field::Count as usize] = [$($name),*];
                const REQUIRED: u64 =
                    0 $(| $crate::format::json::object!(@required $($how)?) << Field::$field as u64)*;
                #[allow(unused_mut, reason = "of those without fields")]
                let mut object: $type = $start;
                let seen = reader.object(&NAMES, &mut |reader, field| {
                    $(if field == Field::$field as usize {
                        return $crate::format::json::Decode::decode_field(&mut object.$field, reader);
                    })*
                    let _ = field;
                    reader.skip()
                })?;
                reader.require(&NAMES, REQUIRED, seen)?;
                Ok(object)
            }
        }

        impl $crate::format::json::Encode for $type {
            fn encode(&self, out: &mut $crate::format::json::Writer) {
                out.raw("{");
                $(out.field($name, &self.$field, $crate::format::json::object!(@omit_empty $($how)?));)*
                out.raw("}");
            }
        }
    };
    (@required required) => { 1 };
    (@required $($other:ident)?) => { 0 };
    (@omit_empty omit_empty) => { true };
    (@omit_empty $($other:ident)?) => { false };
}

pub(crate) use object;
