"""How a server of Apache ZooKeeper is started: 3.8 (Debian's package) or 3.9 (jars in target/interop/zk39); ZK says
which.

run.sh installs them. The log goes to standard output, from INFO on: who was synchronised how, and what did not match.
"""

import os
import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
VERSION = os.environ.get("ZK") or "3.8"
HEAP = os.environ.get("APACHE_HEAP", "2g")
DEBIAN = "/usr/share/java"

LOG4J1 = """\
log4j.rootLogger=INFO, OUT
log4j.appender.OUT=org.apache.log4j.ConsoleAppender
log4j.appender.OUT.layout=org.apache.log4j.PatternLayout
log4j.appender.OUT.layout.ConversionPattern=%d %-5p [%t] %c{1} %m%n
"""

LOG4J2 = """\
status=error
rootLogger.level=info
rootLogger.appenderRefs=console
rootLogger.appenderRef.console.ref=console
appender.console.type=Console
appender.console.name=console
appender.console.layout.type=PatternLayout
appender.console.layout.pattern=%d %-5p [%t] %c{1} %m%n
"""


def command(home, flags=()):
    """The words of a command that the path of a zoo.cfg is appended to. `home` gets the settings of its log."""
    if VERSION == "3.9":
        (home / "log4j2.properties").write_text(LOG4J2)
        log = f"-Dlog4j2.configurationFile={home}/log4j2.properties"
        classes = f"{ROOT}/target/interop/zk39/*"
    elif VERSION == "3.8":
        (home / "log4j.properties").write_text(LOG4J1)
        log = f"-Dlog4j.configuration=file:{home}/log4j.properties"
        classes = ":".join(f"{DEBIAN}/{jar}.jar" for jar in ("zookeeper", "slf4j-log4j12", "log4j-1.2"))
    else:
        raise ValueError(f"ZK={VERSION}: 3.8 or 3.9")
    main = "org.apache.zookeeper.server.quorum.QuorumPeerMain"
    return ["java", f"-Xmx{HEAP}", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", log, *flags, "-cp", classes, main]
