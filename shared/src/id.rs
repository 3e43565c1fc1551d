//! Every identifier: a type with a prefix, sortable by the time it was made.

use data_encoding::{Encoding, Specification};
use std::sync::LazyLock;
use uuid::Uuid;

/// Crockford's base 32 in lower case: it keeps the order of the bytes.
pub(crate) static BASE32: LazyLock<Encoding> = LazyLock::new(|| {
    let mut spec = Specification::new();
    spec.symbols.push_str("0123456789abcdefghjkmnpqrstvwxyz");
    spec.encoding().expect("the alphabet has 32 symbols")
});

/// The text is not an identifier of this kind.
#[derive(Debug, thiserror::Error)]
#[error("not an id that starts with `{0}_`")]
pub struct NotAnId(pub &'static str);

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// What every id of this kind begins with.
            pub const PREFIX: &'static str = $prefix;

            /// A new one, later than all before it.
            #[expect(clippy::new_without_default, reason = "a default id would be a different id each time")]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }

            /// The id that these 16 bytes spell: for ids derived from their content.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }

            /// Its 16 bytes.
            pub const fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!($prefix, "_{}"), BASE32.encode(self.0.as_bytes()))
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(self, f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = NotAnId;

            fn from_str(text: &str) -> Result<Self, NotAnId> {
                text.strip_prefix(concat!($prefix, "_"))
                    .and_then(|rest| BASE32.decode(rest.as_bytes()).ok())
                    .and_then(|bytes| Uuid::from_slice(&bytes).ok())
                    .map(Self)
                    .ok_or(NotAnId($prefix))
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                utoipa::openapi::ObjectBuilder::new()
                    .schema_type(utoipa::openapi::schema::Type::String)
                    .pattern(Some(concat!("^", $prefix, "_[0-9a-hjkmnp-tv-z]{26}$")))
                    .into()
            }
        }

        impl utoipa::ToSchema for $name {}
    )*};
}

ids! {
    /// One report of activity.
    ActivityId = "act";
    /// What a person should look at, by kind and subject.
    AlertId = "alr";
    /// An automation made from a template.
    AutomationId = "aut";
    /// A tenant's own customer or subaccount.
    ClientId = "cli";
    /// A CRM that a tenant has connected.
    ConnectionId = "con";
    /// One event on its way to one endpoint.
    DeliveryId = "dlv";
    /// Somewhere outside that events are delivered to.
    EndpointId = "end";
    /// Something that happened, accepted once.
    EventId = "evt";
    /// Work on many rows that a person has begun.
    JobId = "job";
    /// An API key; the key itself is never stored.
    KeyId = "key";
    /// Something that a person should know.
    NoticeId = "ntc";
    /// A company that uses the product. Every row belongs to exactly one.
    TenantId = "ten";
    /// What activity is about: a conversation, a message, a ticket.
    TrackId = "trk";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_survives_its_text_form() {
        let id = TenantId::new();
        assert_eq!(id.to_string().parse::<TenantId>().unwrap(), id);
    }

    #[test]
    fn a_foreign_prefix_is_refused() {
        assert!(TenantId::new().to_string().parse::<EventId>().is_err());
        assert!("ten_".parse::<TenantId>().is_err());
        assert!("ten_0000000000000000000000000z".parse::<TenantId>().is_err(), "spare bits are not ignored");
    }

    #[test]
    fn later_ids_sort_later() {
        let ids: Vec<String> = (0..100).map(|_| EventId::new().to_string()).collect();
        assert!(ids.is_sorted());
    }
}
