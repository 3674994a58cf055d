//! Work that is finished though its client leaves.
use quadrille_core::Life;

use super::error::Error;

/// Does `work` in a task of its own, so that it is finished though the client leaves.
pub(super) async fn to_the_end<T: Send + 'static>(
    life: &Life,
    name: &'static str,
    work: impl Future<Output = Result<T, Error>> + Send + 'static,
) -> Result<T, Error> {
    // In a box: its database calls make it large, and it is moved to a task of its own.
    life.finish(name, Box::pin(work)).await.unwrap_or(Err(Error::Defect))
}
