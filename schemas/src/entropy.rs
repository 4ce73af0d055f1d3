//! Where random bytes come from: an argument, so that golden vectors can be made again.

use aws_lc_rs::rand;

use crate::error::Error;

/// A source of random bytes.
pub trait Entropy: Send + Sync {
    /// Fills `bytes`.
    ///
    /// # Errors
    /// [`Error::Machine`] when the source fails; the caller must then stop, never go on with what `bytes` held.
    fn fill(&self, bytes: &mut [u8]) -> Result<(), Error>;
}

/// The cryptographic provider's generator: what everything but a test uses.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), Error> {
        rand::fill(bytes).map_err(|_| Error::Machine("random number generation"))
    }
}
