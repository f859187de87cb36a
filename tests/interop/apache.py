"""How a server of Apache ZooKeeper is started: 3.8 (Debian's package) or 3.9 (jars in target/interop/zk39); ZK says
which. For directories of older servers there may be 3.4 and 3.6 too (run.sh with OLD=1).

The log goes to standard output, from INFO on (APACHE_LOG): who was synchronised how, and what did not match.
"""

import os
import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
VERSION = os.environ.get("ZK") or "3.8"
HEAP = os.environ.get("APACHE_HEAP", "2500m")
# What starts soonest, and says most; `make bench` wants what runs fastest.
JVM = os.environ.get("APACHE_JVM", "-XX:+UseSerialGC -XX:TieredStopAtLevel=1").split()
LEVEL = os.environ.get("APACHE_LOG", "info")
DEBIAN = "/usr/share/java"
JARS = ROOT / "target" / "interop"

# What its admin server needs beside; Debian's packages libjetty9-java and libjackson2-databind-java.
ADMIN = [f"jetty9-{part}" for part in ("server", "servlet", "http", "io", "util", "util-ajax", "security")]
ADMIN += ["servlet-api", "jackson-core", "jackson-annotations", "jackson-databind"]

LOG4J1 = """\
log4j.rootLogger={level}, OUT
log4j.appender.OUT=org.apache.log4j.ConsoleAppender
log4j.appender.OUT.layout=org.apache.log4j.PatternLayout
log4j.appender.OUT.layout.ConversionPattern=%d %-5p [%t] %c{1} %m%n
"""

LOG4J2 = """\
status=error
rootLogger.level={level}
rootLogger.appenderRefs=console
rootLogger.appenderRef.console.ref=console
appender.console.type=Console
appender.console.name=console
appender.console.layout.type=PatternLayout
appender.console.layout.pattern=%d %-5p [%t] %c{1} %m%n
"""


def has(version):
    """Whether run.sh has installed it."""
    return any((JARS / f"zk{version.replace('.', '')}").glob("zookeeper-3*.jar"))


def command(home, flags=(), version=""):
    """The words of a command that the path of a zoo.cfg is appended to. `home` gets the settings of its log."""
    version = version or VERSION
    if version not in ("3.4", "3.6", "3.8", "3.9"):
        raise ValueError(f"ZK={version}: 3.8 or 3.9")
    classes = f"{JARS}/zk{version.replace('.', '')}/*"
    if version == "3.8":
        classes = ":".join(f"{DEBIAN}/{jar}.jar" for jar in ("zookeeper", "slf4j-log4j12", "log4j-1.2"))
    if "admin.enableServer=true" in (home / "zoo.cfg").read_text():
        classes += "".join(f":{DEBIAN}/{jar}.jar" for jar in ADMIN)
    if version in ("3.4", "3.8"):
        (home / "log4j.properties").write_text(LOG4J1.replace("{level}", LEVEL.upper()))
        log = f"-Dlog4j.configuration=file:{home}/log4j.properties"
    else:
        (home / "log4j2.properties").write_text(LOG4J2.replace("{level}", LEVEL))
        log = f"-Dlog4j2.configurationFile={home}/log4j2.properties"
    main = "org.apache.zookeeper.server.quorum.QuorumPeerMain"
    return ["java", f"-Xmx{HEAP}", *JVM, log, *flags, "-cp", classes, main]
