import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.apache.zookeeper.AddWatchMode;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.Op;
import org.apache.zookeeper.OpResult;
import org.apache.zookeeper.Watcher;
import org.apache.zookeeper.Watcher.Event.EventType;
import org.apache.zookeeper.Watcher.Event.KeeperState;
import org.apache.zookeeper.ZooDefs;
import org.apache.zookeeper.ZooKeeper;
import org.apache.zookeeper.client.ZKClientConfig;
import org.apache.zookeeper.data.ACL;
import org.apache.zookeeper.data.Id;
import org.apache.zookeeper.data.Stat;

/** The Java client's tour: every operation of its API, sessions, chroot, SASL and TLS. */
public class Tour {
    static int failed;

    interface Body {
        void run() throws Exception;
    }

    static void claim(String text, Body body) {
        try {
            body.run();
            System.out.println("ok   java: " + text);
        } catch (Throwable error) {
            failed++;
            System.out.println("FAIL java: " + text);
            error.printStackTrace(System.out);
        }
    }

    static void equal(Object got, Object want) {
        if (!want.equals(got)) {
            throw new AssertionError(got + ", expected " + want);
        }
    }

    static void fails(KeeperException.Code code, Body body) throws Exception {
        try {
            body.run();
        } catch (KeeperException error) {
            equal(error.code(), code);
            return;
        }
        throw new AssertionError("no " + code);
    }

    static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    static ZooKeeper connect(String hosts, ZKClientConfig config, KeeperState wanted) throws Exception {
        CountDownLatch connected = new CountDownLatch(1);
        Watcher watcher = event -> {
            if (event.getState() == wanted) {
                connected.countDown();
            }
        };
        ZooKeeper zk = new ZooKeeper(hosts, 10000, watcher, false, config);
        if (!connected.await(30, TimeUnit.SECONDS)) {
            zk.close();
            throw new AssertionError("not " + wanted + " within 30 s");
        }
        return zk;
    }

    static ZooKeeper connect(String hosts) throws Exception {
        return connect(hosts, new ZKClientConfig(), KeeperState.SyncConnected);
    }

    /** The client looks for null in the list, which `List.of` answers with an exception. */
    static List<ACL> listOf(ACL acl) {
        return new ArrayList<>(Arrays.asList(acl));
    }

    static final List<ACL> OPEN = ZooDefs.Ids.OPEN_ACL_UNSAFE;

    static void nodes(ZooKeeper zk) {
        claim("create in every mode", () -> {
            Stat stat = new Stat();
            equal(zk.create("/java", bytes("one"), OPEN, CreateMode.PERSISTENT, stat), "/java");
            equal(stat.getCzxid(), stat.getMzxid());
            equal(zk.create("/java/e", null, OPEN, CreateMode.EPHEMERAL, stat), "/java/e");
            equal(stat.getEphemeralOwner(), zk.getSessionId());
            equal(zk.create("/java/s-", null, OPEN, CreateMode.PERSISTENT_SEQUENTIAL), "/java/s-0000000001");
            equal(zk.create("/java/s-", null, OPEN, CreateMode.EPHEMERAL_SEQUENTIAL), "/java/s-0000000002");
            zk.create("/java/c", null, OPEN, CreateMode.CONTAINER, stat);
            equal(stat.getEphemeralOwner(), 0L);
            zk.create("/java/t", null, OPEN, CreateMode.PERSISTENT_WITH_TTL, stat, 3600000);
            equal(zk.create("/java/ts-", null, OPEN, CreateMode.PERSISTENT_SEQUENTIAL_WITH_TTL, stat, 3600000), "/java/ts-0000000005");
            equal(zk.getAllChildrenNumber("/java"), 6);
            List<String> mine = zk.getEphemerals("/java");
            mine.sort(null);
            equal(mine, List.of("/java/e", "/java/s-0000000002"));
        });
        claim("data, versions, children", () -> {
            Stat stat = zk.setData("/java", bytes("two"), 0);
            equal(stat.getVersion(), 1);
            equal(new String(zk.getData("/java", false, stat)), "two");
            equal(zk.getData("/java/e", false, stat) == null, true);
            equal(zk.getChildren("/java", false, stat).size(), 6);
            equal(stat.getNumChildren(), 6);
            fails(KeeperException.Code.BADVERSION, () -> zk.setData("/java", null, 0));
            fails(KeeperException.Code.NONODE, () -> zk.getData("/java/none", false, null));
            fails(KeeperException.Code.NOTEMPTY, () -> zk.delete("/java", -1));
            fails(KeeperException.Code.NOCHILDRENFOREPHEMERALS, () -> zk.create("/java/e/x", null, OPEN, CreateMode.PERSISTENT));
            CountDownLatch synced = new CountDownLatch(1);
            zk.sync("/java", (rc, path, context) -> synced.countDown(), null);
            equal(synced.await(30, TimeUnit.SECONDS), true);
        });
    }

    static void multis(ZooKeeper zk) {
        claim("multi: all or nothing", () -> {
            List<OpResult> results = zk.multi(List.of(
                Op.create("/java/m", bytes("1"), OPEN, CreateMode.PERSISTENT),
                Op.check("/java/m", 0),
                Op.setData("/java/m", bytes("2"), 0)));
            equal(((OpResult.SetDataResult) results.get(2)).getStat().getVersion(), 1);
            try {
                zk.multi(List.of(Op.setData("/java/m", bytes("3"), -1), Op.check("/java/m", 9), Op.delete("/java/m", -1)));
                throw new AssertionError("it passed");
            } catch (KeeperException.BadVersionException error) {
                List<OpResult> parts = error.getResults();
                equal(((OpResult.ErrorResult) parts.get(1)).getErr(), KeeperException.Code.BADVERSION.intValue());
                equal(((OpResult.ErrorResult) parts.get(2)).getErr(), KeeperException.Code.RUNTIMEINCONSISTENCY.intValue());
            }
            equal(new String(zk.getData("/java/m", false, null)), "2");
        });
        claim("multi of reads", () -> {
            List<OpResult> results = zk.multi(List.of(Op.getData("/java/m"), Op.getChildren("/java/none"), Op.getChildren("/java/m")));
            equal(new String(((OpResult.GetDataResult) results.get(0)).getData()), "2");
            equal(((OpResult.ErrorResult) results.get(1)).getErr(), KeeperException.Code.NONODE.intValue());
            equal(((OpResult.GetChildrenResult) results.get(2)).getChildren(), List.of());
            zk.delete("/java/m", -1);
        });
    }

    static void watches(ZooKeeper zk) {
        claim("persistent and recursive watches", () -> {
            LinkedBlockingQueue<String> seen = new LinkedBlockingQueue<>();
            Watcher watcher = event -> seen.add(event.getType() + " " + event.getPath());
            zk.addWatch("/java/w", watcher, AddWatchMode.PERSISTENT_RECURSIVE);
            zk.create("/java/w", null, OPEN, CreateMode.PERSISTENT);
            zk.create("/java/w/x", null, OPEN, CreateMode.PERSISTENT);
            zk.setData("/java/w/x", bytes("1"), -1);
            zk.setData("/java/w/x", bytes("2"), -1);
            zk.delete("/java/w/x", -1);
            List<String> got = new ArrayList<>();
            for (int n = 0; n < 5; n++) {
                got.add(seen.poll(30, TimeUnit.SECONDS));
            }
            equal(got, List.of("NodeCreated /java/w", "NodeCreated /java/w/x", "NodeDataChanged /java/w/x",
                "NodeDataChanged /java/w/x", "NodeDeleted /java/w/x"));
            zk.removeWatches("/java/w", watcher, Watcher.WatcherType.Any, false);
            fails(KeeperException.Code.NOWATCHER, () -> zk.removeWatches("/java/w", watcher, Watcher.WatcherType.Any, false));
            zk.delete("/java/w", -1);
        });
        claim("watches survive a change of server", () -> {
            LinkedBlockingQueue<EventType> seen = new LinkedBlockingQueue<>();
            try (ZooKeeper other = connect(System.getenv("CONNECT"))) {
                Watcher watcher = event -> {
                    if (event.getPath() != null) {
                        seen.add(event.getType());
                    }
                };
                other.exists("/java/later", watcher);
                other.addWatch("/java/kept", watcher, AddWatchMode.PERSISTENT);
                // The client drops its connection and finds another server, its watches with it.
                String[] hosts = System.getenv("CONNECT").split(",");
                other.updateServerList(hosts[hosts.length - 1]);
                zk.create("/java/later", null, OPEN, CreateMode.PERSISTENT);
                equal(seen.poll(30, TimeUnit.SECONDS), EventType.NodeCreated);
                other.exists("/", false);
                zk.create("/java/kept", null, OPEN, CreateMode.PERSISTENT);
                equal(seen.poll(30, TimeUnit.SECONDS), EventType.NodeCreated);
            }
            zk.delete("/java/later", -1);
            zk.delete("/java/kept", -1);
        });
    }

    static void access(ZooKeeper zk, String hosts) {
        claim("digest, getACL, setACL, whoAmI", () -> {
            zk.addAuthInfo("digest", bytes("fox:red"));
            zk.create("/java/mine", null, ZooDefs.Ids.CREATOR_ALL_ACL, CreateMode.PERSISTENT);
            Stat stat = new Stat();
            equal(zk.getACL("/java/mine", stat).get(0).getId().getScheme(), "digest");
            equal(zk.whoAmI().stream().anyMatch(info -> info.getUser().equals("fox")), true);
            try (ZooKeeper other = connect(hosts)) {
                fails(KeeperException.Code.NOAUTH, () -> other.getData("/java/mine", false, null));
                fails(KeeperException.Code.NOAUTH, () -> other.setACL("/java/mine", OPEN, -1));
            }
            equal(zk.setACL("/java/mine", OPEN, 0).getAversion(), 1);
            fails(KeeperException.Code.INVALIDACL, () -> zk.setACL("/java/mine", listOf(new ACL(31, new Id("none", "x"))), -1));
            zk.delete("/java/mine", -1);
        });
        claim("chroot: the client's own root", () -> {
            try (ZooKeeper below = connect(hosts + "/java")) {
                below.create("/inside", bytes("x"), OPEN, CreateMode.PERSISTENT);
                equal(new String(zk.getData("/java/inside", false, null)), "x");
                below.delete("/inside", -1);
            }
        });
    }

    static void sasl(String hosts) throws Exception {
        Path jaas = Path.of(System.getenv("PEM"), "client-jaas.conf");
        Files.writeString(jaas, "Client { org.apache.zookeeper.server.auth.DigestLoginModule required username=\""
            + System.getenv("SASL_USER") + "\" password=\"" + System.getenv("SASL_PASSWORD") + "\"; };");
        System.setProperty("java.security.auth.login.config", jaas.toString());
        claim("SASL DIGEST-MD5", () -> {
            ZKClientConfig config = new ZKClientConfig();
            config.setProperty(ZKClientConfig.ENABLE_CLIENT_SASL_KEY, "true");
            try (ZooKeeper zk = connect(hosts, config, KeeperState.SaslAuthenticated)) {
                List<ACL> own = listOf(new ACL(ZooDefs.Perms.ALL, new Id("sasl", System.getenv("SASL_USER"))));
                zk.create("/java/sasl", null, own, CreateMode.EPHEMERAL);
                equal(zk.getACL("/java/sasl", null).get(0).getId().getId(), System.getenv("SASL_USER"));
            }
        });
        System.clearProperty("java.security.auth.login.config");
    }

    /** At each server, whose stores are in different formats, with stores of the client in different formats. */
    static void tls() {
        for (String host : System.getenv("CONNECT_TLS").split(",")) {
            for (String kind : new String[] {"pem", "jks", "p12"}) {
                claim("TLS with a client certificate at " + host + ", from " + kind, () -> {
                    String dir = System.getenv("PEM") + "/";
                    ZKClientConfig config = new ZKClientConfig();
                    config.setProperty(ZKClientConfig.ENABLE_CLIENT_SASL_KEY, "false");
                    config.setProperty(ZKClientConfig.SECURE_CLIENT, "true");
                    config.setProperty(ZKClientConfig.ZOOKEEPER_CLIENT_CNXN_SOCKET,
                        "org.apache.zookeeper.ClientCnxnSocketNetty");
                    config.setProperty("zookeeper.ssl.keyStore.location", dir + "client." + kind);
                    config.setProperty("zookeeper.ssl.trustStore.location",
                        dir + (kind.equals("pem") ? "ca.pem" : "trust." + kind));
                    if (!kind.equals("pem")) {
                        String password = System.getenv("STORE_PASSWORD");
                        config.setProperty("zookeeper.ssl.keyStore.password", password);
                        config.setProperty("zookeeper.ssl.trustStore.password", password);
                    }
                    try (ZooKeeper zk = connect(host, config, KeeperState.SyncConnected)) {
                        List<ACL> own = listOf(new ACL(ZooDefs.Perms.ALL, new Id("x509", "CN=client,O=tour")));
                        zk.create("/java/tls", bytes("x"), own, CreateMode.EPHEMERAL);
                        equal(new String(zk.getData("/java/tls", false, null)), "x");
                    }
                });
            }
        }
    }

    public static void main(String[] arguments) throws Exception {
        String hosts = System.getenv("CONNECT");
        System.setProperty("zookeeper.sasl.client", "false");
        ZooKeeper zk = connect(hosts);
        nodes(zk);
        multis(zk);
        watches(zk);
        access(zk, hosts);
        sasl(hosts);
        tls();
        claim("all is deleted in the end; a closed session takes its ephemerals along", () -> {
            for (String name : List.of("s-0000000001", "c", "t", "ts-0000000005")) {
                zk.delete("/java/" + name, -1);
            }
            zk.close();
            try (ZooKeeper last = connect(hosts)) {
                last.sync("/java", (rc, path, context) -> { }, null);
                equal(last.getChildren("/java", false), List.of());
                last.delete("/java", -1);
            }
        });
        System.exit(failed == 0 ? 0 : 1);
    }
}
