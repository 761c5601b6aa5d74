//! A grant in a file: the refresh token alone, as a person would write it there. Only its owner may read it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hubferry_hubspot::{Lease, Secret, StoreError, StoreFuture, StoredGrant, TokenStore};

/// The refresh token of one process. What stands in the file wins, so that a sign-in elsewhere is noticed; access tokens
/// are kept in memory.
#[derive(Debug)]
pub(crate) struct FileTokens {
    path: PathBuf,
    known: Mutex<Option<StoredGrant>>,
}

impl FileTokens {
    /// A grant in this file; `first` is what was read of it.
    pub(crate) fn new(path: PathBuf, first: Secret) -> Self {
        let known = (!first.expose().is_empty()).then(|| StoredGrant::new(first));
        Self {
            path,
            known: Mutex::new(known),
        }
    }

    fn read(&self) -> Result<Option<StoredGrant>, StoreError> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let text = match fs::read_to_string(&self.path) {
            Ok(text) => text,
            // It was there, or is going to be.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(known.clone()),
            Err(error) => return Err(self.failed("read", &error)),
        };
        let text = text.trim();
        let is_known = known
            .as_ref()
            .is_some_and(|grant| grant.refresh_token.expose() == text);
        if !is_known && !text.is_empty() {
            let version = known.as_ref().map_or(0, |grant| grant.version) + 1;
            *known = Some(StoredGrant {
                version,
                ..StoredGrant::new(Secret::new(text))
            });
        }
        Ok(known.clone())
    }

    fn write(&self, grant: &StoredGrant) -> Result<(), StoreError> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let token = grant.refresh_token.expose();
        let written = fs::read_to_string(&self.path);
        let is_there = written.is_ok_and(|text| text.trim() == token);
        if !is_there {
            keep(&self.path, token).map_err(|error| self.failed("write", &error))?;
        }
        *known = Some(grant.clone());
        Ok(())
    }

    fn failed(&self, what: &str, error: &io::Error) -> StoreError {
        StoreError(format!("could not {what} {}: {error}", self.path.display()))
    }
}

/// Writes a secret in place of the last one, whole or not at all, for its owner alone.
fn keep(path: &Path, secret: &str) -> io::Result<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder {
        fs::create_dir_all(folder)?;
    }
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    // What a process that was killed has left is no reason to fail.
    fs::remove_file(&beside).ok();
    let mut file = private(&beside)?;
    file.write_all(secret.as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    fs::rename(&beside, path)
}

#[cfg(unix)]
fn private(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600).open(path)
}

#[cfg(not(unix))]
fn private(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).open(path)
}

impl TokenStore for FileTokens {
    fn load(&self) -> StoreFuture<'_, Option<StoredGrant>> {
        let read = self.read();
        Box::pin(async { read })
    }

    /// Whoever renews holds the client's own lock already; other processes have no part in this file.
    fn lease(&self, _: Duration) -> StoreFuture<'_, Option<Lease>> {
        Box::pin(async { Ok(Some(Lease(String::new()))) })
    }

    fn save<'a>(&'a self, _: &'a Lease, grant: &'a StoredGrant) -> StoreFuture<'a, ()> {
        let written = self.write(grant);
        Box::pin(async { written })
    }

    fn release(&self, _: Lease) -> StoreFuture<'_, ()> {
        Box::pin(async { Ok(()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_rotated_token_replaces_the_one_in_the_file_and_nobody_else_reads_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/refresh");
        let store = FileTokens::new(path.clone(), Secret::new(""));
        assert!(store.load().await.unwrap().is_none());
        let lease = store.lease(Duration::ZERO).await.unwrap().unwrap();
        let grant = StoredGrant::new(Secret::new("one"));
        store.save(&lease, &grant).await.unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "one\n");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        let before = store.load().await.unwrap().unwrap();
        // Somebody signs in again.
        fs::write(&path, "two\n").unwrap();
        let after = store.load().await.unwrap().unwrap();
        assert_eq!(after.refresh_token.expose(), "two");
        assert_eq!(after.version, before.version + 1);
        assert_eq!(store.load().await.unwrap().unwrap().version, after.version);
    }
}
