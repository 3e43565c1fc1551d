//! `Idempotency-Key`: the same request, sent again, gets the answer that it got the first time.
//!
//! The first to arrive claims the key with a conditional write, works, and leaves its answer there. Whoever comes
//! with the same key and body meanwhile gets 409, later the answer; with another body 422. A claim whose owner died
//! ends with the time that a function may run. A failure leaves nothing, so that it can be tried again.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use jiff::{SignedDuration, Timestamp};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    error::{Error, Result},
    http::{Call, Reply},
    id::TenantId,
    key::{self, Key},
    secrets::{Keyring, Sealed},
    table::{Created, Row, Table},
};

/// How long an answer is kept.
const KEEP: SignedDuration = SignedDuration::from_hours(24);
/// The longest that a function behind the HTTP API may work.
const WORK: SignedDuration = SignedDuration::from_secs(30);
/// Answers above this size are not kept: such a request is worked on again.
const LARGEST: usize = 300 * 1024;

/// A key in use, or the answer given under it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Once {
    tenant: TenantId,
    slot: String,
    body: String,
    status: Option<u16>,
    content_type: Option<String>,
    answer: Option<String>,
    sealed: Option<Sealed>,
    claimed_until: i64,
    keep_until: Timestamp,
}

impl Row for Once {
    const KIND: &'static str = "once";

    fn key(&self) -> Key<Self> {
        key::once(self.tenant, &self.slot)
    }

    fn expires(&self) -> Option<Timestamp> {
        Some(self.keep_until)
    }
}

/// Does the work once for each `Idempotency-Key` of this caller and route; always, where there is no such header.
pub async fn once<F>(table: &Table, call: &Call, tenant: TenantId, who: &str, work: F) -> Result<Reply>
where
    F: AsyncFnOnce() -> Result<Reply>,
{
    run(table, None, call, tenant, who, work).await
}

/// The same for an answer that shows a secret: it is kept sealed.
pub async fn once_sealed<F>(
    table: &Table,
    keyring: &Keyring,
    call: &Call,
    tenant: TenantId,
    who: &str,
    work: F,
) -> Result<Reply>
where
    F: AsyncFnOnce() -> Result<Reply>,
{
    run(table, Some(keyring), call, tenant, who, work).await
}

async fn run<F>(
    table: &Table,
    keyring: Option<&Keyring>,
    call: &Call,
    tenant: TenantId,
    who: &str,
    work: F,
) -> Result<Reply>
where
    F: AsyncFnOnce() -> Result<Reply>,
{
    let Some(name) = call.term("idempotency-key")? else {
        return work().await;
    };
    if name.is_empty() || name.len() > 255 {
        return Err(Error::invalid("Idempotency-Key", "must have 1 to 255 characters"));
    }
    let slot = digest(&[name.as_bytes(), who.as_bytes(), call.method.as_str().as_bytes(), call.path.as_bytes()]);
    let claim = Once {
        tenant,
        slot: slot.clone(),
        body: digest(&[call.body(), call.query_string().as_bytes()]),
        status: None,
        content_type: None,
        answer: None,
        sealed: None,
        claimed_until: (call.now + WORK).as_millisecond(),
        keep_until: call.now + KEEP,
    };
    if let Created::Was(earlier) = table.create(&claim).await? {
        if earlier.keep_until > call.now {
            match replay(&earlier, &claim, keyring, call.now)? {
                Some(reply) => return Ok(reply),
                None => take_over(table, &claim, earlier.claimed_until).await?,
            }
        } else {
            take_over(table, &claim, earlier.claimed_until).await?;
        }
    }
    let outcome = work().await;
    let kept = match &outcome {
        Ok(reply) if reply.body.len() <= LARGEST => table.put(&answered(claim, keyring, reply)?).await,
        _ => table.delete(key::once(tenant, &slot)).await,
    };
    // The work is done or has failed: what cannot be remembered of it does not change the answer.
    if let Err(error) = kept {
        tracing::warn!(error = ?error, "the answer under an Idempotency-Key could not be kept");
    }
    outcome
}

/// The answer of the earlier request, or nothing where its owner died.
fn replay(earlier: &Once, claim: &Once, keyring: Option<&Keyring>, now: Timestamp) -> Result<Option<Reply>> {
    if earlier.body != claim.body {
        return Err(Error::KeyReused);
    }
    let Some(status) = earlier.status else {
        return if now.as_millisecond() < earlier.claimed_until {
            Err(Error::conflict("a request with this Idempotency-Key is still being worked on"))
        } else {
            Ok(None)
        };
    };
    let mut headers = HeaderMap::new();
    if let Some(kind) = earlier.content_type.as_deref().and_then(|kind| HeaderValue::from_str(kind).ok()) {
        headers.insert(header::CONTENT_TYPE, kind);
    }
    headers.insert(HeaderName::from_static("idempotent-replayed"), HeaderValue::from_static("true"));
    Ok(Some(Reply {
        status: StatusCode::from_u16(status).unwrap_or(StatusCode::OK),
        headers,
        body: match (&earlier.sealed, keyring) {
            (Some(sealed), Some(keyring)) => {
                let opened = keyring.open([&earlier.tenant.to_string(), &earlier.slot, "answer"], sealed)?;
                Bytes::from(opened.expose_secret().to_owned())
            }
            _ => Bytes::from(earlier.answer.clone().unwrap_or_default()),
        },
    }))
}

async fn take_over(table: &Table, claim: &Once, seen: i64) -> Result<()> {
    let taken = table
        .change(key::once(claim.tenant, &claim.slot))
        .set("body", &claim.body)
        .set("claimed_until", claim.claimed_until)
        .set("keep_until", claim.keep_until)
        .remove("status")
        .expires(claim.keep_until)
        .when("claimed_until", seen)
        .send()
        .await?;
    match taken {
        Some(_) => Ok(()),
        None => Err(Error::conflict("a request with this Idempotency-Key is still being worked on")),
    }
}

fn answered(claim: Once, keyring: Option<&Keyring>, reply: &Reply) -> Result<Once> {
    let text = String::from_utf8(reply.body.to_vec()).ok();
    let (answer, sealed) = match (text, keyring) {
        (Some(text), Some(keyring)) => {
            let place = [&claim.tenant.to_string(), claim.slot.as_str(), "answer"];
            (None, Some(keyring.seal(place, &text.into())?))
        }
        (text, _) => (text, None),
    };
    Ok(Once {
        status: Some(reply.status.as_u16()),
        content_type: reply.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).map(Into::into),
        answer,
        sealed,
        ..claim
    })
}

fn digest(parts: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    data_encoding::HEXLOWER.encode(&hash.finalize())
}

#[cfg(all(test, feature = "testing"))]
mod tests {
    use super::*;
    use crate::testing::{nobody, table, vault};

    #[tokio::test]
    async fn an_answer_that_shows_a_secret_is_kept_sealed_and_replayed_in_full() {
        let (table, tenant) = (table().await, TenantId::new());
        let keyring = vault().keyring().await.unwrap();
        let call = nobody().with_header("idempotency-key", "k").posting(&serde_json::json!({}));

        let first =
            once_sealed(&table, &keyring, &call, tenant, "me", async || Ok(Reply::created("hush"))).await.unwrap();
        let second = once_sealed(&table, &keyring, &call, tenant, "me", async || unreachable!()).await.unwrap();

        assert_eq!((second.status, &second.body), (first.status, &first.body));
        let slot = digest(&[b"k", b"me", b"POST", call.path.as_bytes()]);
        let kept = serde_json::to_string(&table.get(key::once(tenant, &slot)).await.unwrap()).unwrap();
        assert!(kept.contains("201") && !kept.contains("hush"), "{kept}");
    }
}
