//! What a function works with, and has to ask AWS for.

use std::pin::Pin;

use lambda_runtime::Diagnostic;
use tokio::sync::OnceCell;

use crate::deployment::StartError;

/// Something that is opened when the first event comes, and kept from then on.
///
/// Lambda ends a process that does not poll within ten seconds, and starts the next one into the same trouble. An event
/// has the function's own time; who sent it learns why it failed, and tries again. So a start reads and checks what it is
/// told, and asks nobody.
pub struct Opened<T> {
    kept: OnceCell<T>,
    open: Box<dyn Fn() -> Opening<T> + Send + Sync>,
}

type Opening<T> = Pin<Box<dyn Future<Output = Result<T, StartError>> + Send>>;

impl<T> Opened<T> {
    /// By `open`, of what the environment says; it is asked again for the next event where it fails.
    pub(crate) fn by<S, F>(said: S, open: impl Fn(S) -> F + Send + Sync + 'static) -> Self
    where
        S: Clone + Send + Sync + 'static,
        F: Future<Output = Result<T, StartError>> + Send + 'static,
    {
        Self { kept: OnceCell::new(), open: Box::new(move || Box::pin(open(said.clone()))) }
    }

    /// Answers an event.
    ///
    /// # Errors
    /// When it cannot be opened, and those of `answer`.
    pub async fn answer<'a, R, E, F>(&'a self, answer: impl FnOnce(&'a T) -> F) -> Result<R, Diagnostic>
    where
        E: Into<Diagnostic>,
        F: Future<Output = Result<R, E>>,
    {
        let opened = self.kept.get_or_try_init(&self.open).await.map_err(|error| not_opened(&error))?;
        answer(opened).await.map_err(Into::into)
    }
}

impl<T> std::fmt::Debug for Opened<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opened").field("opened", &self.kept.initialized()).finish_non_exhaustive()
    }
}

fn not_opened(error: &StartError) -> Diagnostic {
    tracing::error!(%error, "not opened");
    Diagnostic { error_type: "TryAgain".to_owned(), error_message: error.to_string() }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test]
    async fn it_is_opened_once_and_again_only_where_that_failed() {
        let asked = Arc::new(AtomicU32::new(0));
        let counted = asked.clone();
        let opened = Opened::by(counted, |counted| {
            let number = counted.fetch_add(1, Ordering::SeqCst);
            async move { if number == 0 { Err(StartError::Cryptography("AFFIDAVIT_KEY")) } else { Ok(number) } }
        });
        let answer = async |opened: &Opened<u32>| {
            opened
                .answer(async |number: &u32| Ok::<_, Diagnostic>(*number))
                .await
                .map_err(|failed| failed.error_message)
        };
        let failed = answer(&opened).await.unwrap_err();
        assert!(failed.starts_with("AFFIDAVIT_KEY"), "{failed}");
        assert_eq!((answer(&opened).await, answer(&opened).await), (Ok(1), Ok(1)));
        assert_eq!(asked.load(Ordering::SeqCst), 2);
    }
}
