//! The tour of the Rust client `zookeeper-client`: its operations, watches, lock, SASL and TLS.

use std::env;
use std::fs;
use std::future::Future;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::timeout;
use zookeeper_client as zk;

static FAILED: AtomicBool = AtomicBool::new(false);

type Check = Result<(), Box<dyn std::error::Error>>;

async fn claim(text: &str, body: impl Future<Output = Check>) {
    match timeout(Duration::from_secs(60), body).await {
        Ok(Ok(())) => println!("ok   rust: {text}"),
        Ok(Err(error)) => fail(text, &error.to_string()),
        Err(_) => fail(text, "took more than a minute"),
    }
}

fn fail(text: &str, why: &str) {
    FAILED.store(true, Ordering::Relaxed);
    println!("FAIL rust: {text}: {why}");
}

fn equal<T: PartialEq + std::fmt::Debug>(got: T, want: T) -> Check {
    if got == want { Ok(()) } else { Err(format!("{got:?}, expected {want:?}").into()) }
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("{name} is not set"))
}

const OPEN: zk::Acls<'static> = zk::Acls::anyone_all();

async fn nodes(client: &zk::Client) -> Check {
    let persistent = zk::CreateMode::Persistent.with_acls(OPEN);
    client.create("/rust", b"one", &persistent).await?;
    equal(client.create("/rust", b"", &persistent).await.err(), Some(zk::Error::NodeExists))?;
    let (data, stat) = client.get_data("/rust").await?;
    equal((data.as_slice(), stat.version), (b"one".as_slice(), 0))?;
    let stat = client.set_data("/rust", b"two", Some(0)).await?;
    equal(stat.version, 1)?;
    equal(client.set_data("/rust", b"x", Some(0)).await.err(), Some(zk::Error::BadVersion))?;
    let sequential = zk::CreateMode::EphemeralSequential.with_acls(OPEN);
    let (_, number) = client.create("/rust/s-", b"", &sequential).await?;
    equal(number.into_i64(), 0)?;
    let container = zk::CreateMode::Container.with_acls(OPEN);
    client.create("/rust/box", b"", &container).await?;
    let ttl = zk::CreateMode::Persistent.with_acls(OPEN).with_ttl(Duration::from_secs(3600));
    client.create("/rust/ttl", b"", &ttl).await?;
    equal(client.count_descendants_number("/rust").await?, 3)?;
    equal(client.list_ephemerals("/rust").await?, vec!["/rust/s-0000000000".to_owned()])?;
    client.sync("/rust").await?;
    for name in ["s-0000000000", "box", "ttl"] {
        client.delete(&format!("/rust/{name}"), None).await?;
    }
    equal(client.list_children("/rust").await?, vec![])
}

async fn watches(client: &zk::Client) -> Check {
    let persistent = zk::CreateMode::Persistent.with_acls(OPEN);
    let (_, once) = client.check_and_watch_stat("/rust/w").await?;
    let mut all = client.watch("/rust", zk::AddWatchMode::PersistentRecursive).await?;
    client.create("/rust/w", b"", &persistent).await?;
    client.set_data("/rust/w", b"1", None).await?;
    client.delete("/rust/w", None).await?;
    let event = once.changed().await;
    equal((event.event_type, &*event.path), (zk::EventType::NodeCreated, "/rust/w"))?;
    for wanted in
        [zk::EventType::NodeCreated, zk::EventType::NodeDataChanged, zk::EventType::NodeDeleted]
    {
        let event = all.changed().await;
        equal((event.event_type, &*event.path), (wanted, "/rust/w"))?;
    }
    drop(all);
    Ok(())
}

async fn transactions(client: &zk::Client) -> Check {
    let persistent = zk::CreateMode::Persistent.with_acls(OPEN);
    let mut good = client.new_multi_writer();
    good.add_create("/rust/m", b"1", &persistent)?;
    good.add_check_version("/rust/m", 0)?;
    good.add_set_data("/rust/m", b"2", Some(0))?;
    equal(good.commit().await?.len(), 3)?;
    let mut bad = client.new_multi_writer();
    bad.add_delete("/rust/m", None)?;
    bad.add_check_version("/rust", 99)?;
    equal(bad.commit().await.is_err(), true)?;
    let mut reader = client.new_multi_reader();
    reader.add_get_data("/rust/m")?;
    reader.add_get_children("/rust")?;
    match reader.commit().await?.as_slice() {
        [zk::MultiReadResult::Data { data, .. }, zk::MultiReadResult::Children { children }] => {
            equal((data.as_slice(), children.as_slice()), (b"2".as_slice(), &["m".to_owned()][..]))?;
        }
        other => return Err(format!("{other:?}").into()),
    }
    client.delete("/rust/m", None).await?;
    Ok(())
}

async fn locks(client: &zk::Client) -> Check {
    let prefix = zk::LockPrefix::new_curator("/rust/lock", "latch-")?;
    let options = zk::LockOptions::new(OPEN)
        .with_ancestor_options(zk::CreateMode::Persistent.with_acls(OPEN))?;
    let lock = client.lock(prefix, b"", options).await?;
    lock.create("/rust/locked", b"", &zk::CreateMode::Persistent.with_acls(OPEN)).await?;
    drop(lock);
    client.delete("/rust/locked", None).await?;
    while client.delete("/rust/lock", None).await.is_err() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

async fn access(client: &zk::Client, hosts: &str) -> Check {
    client.auth("digest", b"owl:hoot").await?;
    let mine = zk::CreateMode::Persistent.with_acls(zk::Acls::creator_all());
    client.create("/rust/mine", b"", &mine).await?;
    let stranger = zk::Client::connect(hosts).await?;
    equal(stranger.get_data("/rust/mine").await.err(), Some(zk::Error::NoAuth))?;
    let users = client.list_auth_users().await?;
    equal(users.iter().any(|user| user.scheme() == "digest" && user.user() == "owl"), true)?;
    client.delete("/rust/mine", None).await?;
    Ok(())
}

async fn sasl(hosts: &str) -> Check {
    let user = variable("SASL_USER");
    let options = zk::SaslOptions::digest_md5(user.clone(), variable("SASL_PASSWORD"));
    let client = zk::Client::connector().with_sasl(options).connect(hosts).await?;
    let acls = [zk::Acl::new(zk::Permission::ALL, zk::AuthId::new("sasl", &user))];
    let mine = zk::CreateMode::Ephemeral.with_acls(zk::Acls::from(acls.as_slice()));
    client.create("/rust/sasl", b"", &mine).await?;
    client.get_data("/rust/sasl").await?;
    Ok(())
}

async fn tls() -> Check {
    let pem = |name: &str| fs::read_to_string(format!("{}/{name}", variable("PEM")));
    let options = zk::TlsOptions::new()
        .with_pem_ca(&pem("ca.pem")?)?
        .with_pem_identity(&pem("client.crt")?, &pem("client.key")?)?;
    let connector = zk::Client::connector().with_tls(options);
    let client = connector.secure_connect(&variable("CONNECT_TLS")).await?;
    let ephemeral = zk::CreateMode::Ephemeral.with_acls(OPEN);
    client.create("/rust/tls", b"x", &ephemeral).await?;
    equal(client.get_data("/rust/tls").await?.0.as_slice(), b"x")
}

#[tokio::main]
async fn main() -> ExitCode {
    let hosts = variable("CONNECT");
    let client = match zk::Client::connect(&hosts).await {
        Ok(client) => client,
        Err(error) => {
            fail("connects", &error.to_string());
            return ExitCode::FAILURE;
        }
    };
    claim("nodes in every mode", nodes(&client)).await;
    claim("one-shot and recursive watches", watches(&client)).await;
    claim("multi of writes and of reads", transactions(&client)).await;
    claim("lock", locks(&client)).await;
    claim("digest", access(&client, &hosts)).await;
    claim("SASL DIGEST-MD5", sasl(&hosts)).await;
    claim("TLS with a client certificate", tls()).await;
    claim("all is deleted in the end", async {
        while client.list_children("/rust").await?.len() > 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(client.delete("/rust", None).await?)
    })
    .await;
    if FAILED.load(Ordering::Relaxed) { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
