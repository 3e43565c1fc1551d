//! Many requests, a few of them at once.

use futures::{StreamExt, TryStreamExt, stream};
use shared::Result;

/// How many requests to the table are on their way at once.
const AT_ONCE: usize = 32;

/// Does all of it, or stops at the first failure. What comes back is in no order.
pub(crate) async fn together<T>(work: Vec<impl Future<Output = Result<T>>>) -> Result<Vec<T>> {
    stream::iter(work).buffer_unordered(AT_ONCE).try_collect().await
}
