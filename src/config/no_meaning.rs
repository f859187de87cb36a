//! Keys of Apache ZooKeeper that have nothing to do here, and why.
//!
//! What they tune is not there (threads, caches, the JVM), or what they ask for is always so. A start
//! with one of them says so, unless its value says what happens anyway. None of them asks for more
//! safety than there is: such a key is refused (`keys.rs`).

const OFF: &[&str] = &["false"];
const ON: &[&str] = &["true"];
const NONE: &[&str] = &[];

const BATCHES: &str = "all that waits is written and synced as soon as the disk is free";
const SENDING: &str = "sending and closing wait for nothing";
const NODELAY: &str = "TCP_NODELAY is always on";
const QUEUES: &str = "there are no such queues and threads";
const REPLIES: &str = "replies are not cached: making one costs as little as finding it";
const WATCHES: &str = "there is one watch manager, and the watches of a connection go with it";

/// Name, or its beginning if it ends in a dot; why; the values that say what happens anyway.
pub(super) const NO_MEANING: &[(&str, &str, &[&str])] = &[
    ("bitHashCacheSize", WATCHES, NONE),
    ("closeSessionTxn.enabled", "the end of a session always names its ephemerals", ON),
    ("commitProcessor.", QUEUES, NONE),
    ("digest.enabled", "the digests of the tree are always on", ON),
    ("fips-mode", "TLS is rustls in either mode, and checks what ssl.* say", OFF),
    ("flushDelay", BATCHES, &["0"]),
    ("follower.nodelay", NODELAY, ON),
    ("follower.skipLearnerRequestToNextProcessor", QUEUES, OFF),
    ("forceSync", "the log is always synced", &["yes"]),
    ("forward_learner_requests_to_commit_processor_disabled", QUEUES, OFF),
    ("jvm.pause.", "there is no JVM; what takes long at one go is logged and counted", NONE),
    (
        "leader.ackLoggingFrequency",
        "acks are counted for one zxid in 1000, as by default, and not logged",
        NONE,
    ),
    ("leader.closeSocketAsync", SENDING, NONE),
    ("leader.nodelay", NODELAY, ON),
    ("leaderConnectDelayDuringRetryMs", "a leader is dialled on a schedule of its own", NONE),
    ("learner.asyncSending", SENDING, NONE),
    ("learner.closeSocketAsync", SENDING, NONE),
    ("maxBatchSize", BATCHES, NONE),
    ("maxGetChildrenResponseCacheSize", REPLIES, NONE),
    ("maxInProcessingDeadWatchers", WATCHES, NONE),
    ("maxResponseCacheSize", REPLIES, NONE),
    ("maxWriteQueuePollTime", BATCHES, NONE),
    ("netty.", "there is no Netty; TLS handshakes under way are bounded", NONE),
    ("nio.", "there are no such threads and buffers; net.threads is what comes near", NONE),
    ("quorum.cnxn.threads.size", QUEUES, NONE),
    ("request_throttler.shutdownTimeout", QUEUES, NONE),
    ("serializeLastProcessedZxid.enabled", "a snapshot always says its last zxid", ON),
    ("syncEnabled", "an observer always keeps its log and snapshots", ON),
    ("tcpKeepAlive", "links between servers always end when they are silent", ON),
    ("testingonly.initialZxid", "it is for tests of Apache ZooKeeper's own", NONE),
    ("watchManagerName", WATCHES, NONE),
    ("watcherCleanIntervalInSeconds", WATCHES, NONE),
    ("watcherCleanThreadsNum", WATCHES, NONE),
    ("watcherCleanThreshold", WATCHES, NONE),
];

#[cfg(test)]
mod tests {
    use crate::config::parse::parse;

    #[test]
    fn a_start_says_why_a_key_has_nothing_to_do() {
        let warnings = |more: &str| {
            let text = format!("dataDir=/d\nclientPort=2181\n{more}");
            let flags = Some("-Dzookeeper.nio.numWorkerThreads=4 -Dfollower.nodelay=true");
            parse(&text, "zoo.cfg", None, flags).expect("it is right").warnings
        };
        let flag = "SERVER_JVMFLAGS:1:3: zookeeper.nio.numWorkerThreads has no meaning here: \
                    there are no such threads and buffers; net.threads is what comes near";
        assert_eq!(warnings("forceSync=yes\nsyncEnabled=true\nfips-mode=false\n"), [flag]);
        let said = "zoo.cfg:3:1: forceSync has no meaning here: the log is always synced";
        assert_eq!(warnings("forceSync=no\n"), [said, flag]);
    }
}
