//! A store of objects: S3, and whatever speaks it.
//!
//! Access is that of the environment: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION,
//! AWS_ENDPOINT_URL, AWS_ALLOW_HTTP. An object appears with all of its bytes, and stays.

use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::path::Path;
use object_store::{Error, ObjectStore, ObjectStoreExt};
use tokio::runtime::{Builder, Runtime};

use super::error::BackupError;
use super::store::{Store, Stored};

pub(super) struct Objects {
    /// `s3://BUCKET/PREFIX`
    target: String,
    prefix: String,
    s3: AmazonS3,
    /// Whoever asks waits for the answer.
    runtime: Runtime,
}

impl Objects {
    /// `place`: what stands behind `s3://`.
    pub(super) fn open(target: &str, place: &str) -> Result<Objects, BackupError> {
        let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
        if bucket.is_empty() {
            return Err(BackupError::Invalid(format!("{target}: give s3://BUCKET/PREFIX")));
        }
        // Another one may be there already: of this process it is the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let wrong = |why: String| BackupError::Objects { target: target.into(), why };
        let s3 = AmazonS3Builder::from_env().with_bucket_name(bucket).build();
        let s3 = s3.map_err(|error| wrong(error.to_string()))?;
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| wrong(error.to_string()))?;
        let (target, prefix) =
            (target.trim_end_matches('/').into(), prefix.trim_matches('/').into());
        Ok(Objects { target, prefix, s3, runtime })
    }

    fn path(&self, name: &str) -> Path {
        Path::from(format!("{}/{name}", self.prefix))
    }

    fn wrong(&self, error: &Error) -> BackupError {
        let why = format!(
            "{error}. Access is that of AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION and, for \
             another store than Amazon's, AWS_ENDPOINT_URL and AWS_ALLOW_HTTP"
        );
        BackupError::Objects { target: self.target.clone(), why }
    }
}

impl Store for Objects {
    fn list(&self, folder: &str) -> Result<Vec<Stored>, BackupError> {
        let path = self.path(folder);
        let listed = self.runtime.block_on(self.s3.list_with_delimiter(Some(&path)));
        let listed = listed.map_err(|error| self.wrong(&error))?;
        let stored = listed.objects.iter().filter_map(|object| {
            let name = object.location.filename()?.to_string();
            Some(Stored { name, bytes: object.size })
        });
        let mut found: Vec<Stored> = stored.collect();
        found.sort();
        Ok(found)
    }

    fn get(&self, name: &str) -> Result<Vec<u8>, BackupError> {
        let path = self.path(name);
        let got = self.runtime.block_on(async { self.s3.get(&path).await?.bytes().await });
        match got {
            Ok(content) => Ok(content.into()),
            Err(Error::NotFound { .. }) => Err(BackupError::Missing { place: self.place(name) }),
            Err(error) => Err(self.wrong(&error)),
        }
    }

    fn put(&self, name: &str, content: Vec<u8>) -> Result<(), BackupError> {
        let path = self.path(name);
        let put = self.runtime.block_on(self.s3.put(&path, content.into()));
        put.map(drop).map_err(|error| self.wrong(&error))
    }

    fn delete(&self, name: &str) -> Result<(), BackupError> {
        match self.runtime.block_on(self.s3.delete(&self.path(name))) {
            Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.wrong(&error)),
        }
    }

    fn settle(&self) -> Result<(), BackupError> {
        Ok(())
    }

    fn place(&self, name: &str) -> String {
        format!("{}/{name}", self.target)
    }
}
