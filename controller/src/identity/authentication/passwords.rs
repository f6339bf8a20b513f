//! Passwords: Argon2id (m = 19456 KiB, t = 2, p = 1), on threads of their own. There are half as many as the machine has
//! cores, and they give way to all others, so that signing in cannot take the machine.

use super::common;
use crate::error::{Error, Result};
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use ocore_shared::secret::Secret;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

/// How far the threads stand back, of 19.
const NICENESS: i32 = 10;
const PATIENCE: Duration = Duration::from_secs(10);
const SHORTEST: usize = 8;
const LONGEST: usize = 256;

/// Nobody's password: verified where there is no account, so that the answer takes the same time.
const NOBODYS: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$NrTPP4aCj9B9mWPKcLGjxHOmzCbGzbNTxAF5YDUFB3U";

type Work = Box<dyn FnOnce() + Send>;

/// Hashes and verifies.
pub struct Passwords {
    permits: Arc<Semaphore>,
    /// Never more than there are permits.
    work: mpsc::Sender<Work>,
}

impl Default for Passwords {
    fn default() -> Self {
        let threads = std::thread::available_parallelism().map_or(1, |cores| cores.get().div_ceil(2));
        let (work, queue) = mpsc::channel();
        let queue = Arc::new(Mutex::new(queue));
        for _ in 0..threads {
            let queue = queue.clone();
            std::thread::spawn(move || hash_thread(&queue));
        }
        Self { permits: Arc::new(Semaphore::new(threads)), work }
    }
}

/// Until nobody can ask for anything any more.
fn hash_thread(queue: &Mutex<mpsc::Receiver<Work>>) {
    // Where that is forbidden they take their share.
    let _ = rustix::process::nice(NICENESS);
    loop {
        let work = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match work {
            // A panic ends the one request that waits for it, not the thread.
            Ok(work) => drop(std::panic::catch_unwind(std::panic::AssertUnwindSafe(work))),
            Err(mpsc::RecvError) => return,
        }
    }
}

impl Passwords {
    /// The PHC string to store.
    pub async fn hash(&self, password: &Secret) -> Result<String> {
        let password = password.clone();
        self.run(move || {
            let hash: PasswordHash = argon2()?.hash_password(password.expose().as_bytes())?;
            Ok::<_, argon2::password_hash::Error>(hash.to_string())
        })
        .await?
        .map_err(|error| Error::Internal(anyhow::anyhow!("a password cannot be hashed: {error}")))
    }

    /// Whether the password is right. Without a hash it takes as long and is wrong.
    pub async fn verify(&self, password: &Secret, hash: Option<String>) -> Result<bool> {
        // Nothing longer was ever accepted, and nobody makes us hash megabytes.
        let too_long = password.expose().len() > LONGEST * 4;
        let password = if too_long { Secret::new("") } else { password.clone() };
        self.run(move || {
            let parsed = PasswordHash::new(hash.as_deref().unwrap_or(NOBODYS))?;
            let right = argon2()?.verify_password(password.expose().as_bytes(), &parsed).is_ok();
            Ok::<_, argon2::password_hash::Error>(right && hash.is_some() && !too_long)
        })
        .await?
        .map_err(|error| Error::Internal(anyhow::anyhow!("a stored password hash cannot be read: {error}")))
    }

    /// The work's result, once it had its turn.
    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        let permit = self.permit().await?;
        let (done, result) = oneshot::channel();
        let work = move || {
            let _permit = permit;
            // Whoever asked may have gone.
            let _ = done.send(work());
        };
        self.work.send(Box::new(work)).map_err(|_| Error::internal(anyhow::anyhow!("no thread hashes passwords")))?;
        result.await.map_err(Error::internal)
    }

    async fn permit(&self) -> Result<OwnedSemaphorePermit> {
        let busy = || Error::Unavailable { message: "Many people are signing in; try again.".into(), retry_after: 2 };
        match tokio::time::timeout(PATIENCE, self.permits.clone().acquire_owned()).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) | Err(_) => Err(busy()),
        }
    }

    /// The rule for new passwords.
    pub fn check(field: &str, password: &Secret) -> Result<()> {
        let text = password.expose();
        let length = text.chars().count();
        let problem = if length < SHORTEST {
            Some(("min_length", format!("A password has at least {SHORTEST} characters.")))
        } else if length > LONGEST {
            Some(("max_length", format!("A password has at most {LONGEST} characters.")))
        } else if !text.chars().any(char::is_alphabetic) || !text.chars().any(char::is_numeric) {
            Some(("pattern", "A password has at least one letter and one digit.".to_owned()))
        } else if common::is_common(text) {
            Some(("common", "This password is on everybody's list; choose another one.".to_owned()))
        } else {
            None
        };
        match problem {
            Some((constraint, message)) => Err(Error::field(field, constraint, message)),
            None => Ok(()),
        }
    }
}

fn argon2() -> Result<Argon2<'static>, argon2::password_hash::Error> {
    let params = Params::new(19_456, 2, 1, None).map_err(|_| argon2::password_hash::Error::ParamsInvalid)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_hash_says_how_it_was_made_and_verifies() {
        let passwords = Passwords::default();
        let secret = Secret::new("correct horse 1");
        let hash = passwords.hash(&secret).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(passwords.verify(&secret, Some(hash.clone())).await.unwrap());
        assert!(!passwords.verify(&Secret::new("wrong horse 1"), Some(hash)).await.unwrap());
        assert!(!passwords.verify(&secret, None).await.unwrap());
    }

    #[test]
    fn weak_passwords_are_refused_with_the_reason() {
        let constraint = |text: &str| match Passwords::check("password", &Secret::new(text)) {
            Err(Error::Invalid(problems)) => problems[0].constraint.clone(),
            _ => "none".into(),
        };
        assert_eq!(constraint("short1"), "min_length");
        assert_eq!(constraint("onlyletters"), "pattern");
        assert_eq!(constraint("1234567890"), "pattern");
        assert_eq!(constraint("Password123"), "common");
        assert_eq!(constraint(&"a1".repeat(200)), "max_length");
        assert_eq!(constraint("a quiet place 7"), "none");
    }
}
