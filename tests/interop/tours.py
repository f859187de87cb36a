"""Clients of five languages walk through the contract, against one ensemble of three with SASL and TLS.

    tours.py [java] [c] [node] [rust] [recipes]

Each tour is a program that connects, does what its users do, and prints a line a claim: `ok   NAME: ...` or
`FAIL NAME: ...`. Its environment:

    CONNECT, CONNECT_TLS    host:port,...
    PEM                     folder with ca.pem, client.pem (certificate, then key), client.crt, client.key
    SASL_USER, SASL_PASSWORD

Beside Quorate they run against Apache ZooKeeper: SERVER_CMD="/usr/share/zookeeper/bin/zkServer.sh start-foreground".
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

from ensemble import ROOT, Checks, Ensemble, free_ports

HERE = pathlib.Path(__file__).resolve().parent
BUILD = ROOT / "target" / "interop"
USER, PASSWORD = "bob", "secret of bob"
STORE_PASSWORD = "tour password"


def certificates(folder):
    """An authority, a server and a client, made by openssl."""

    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=tour authority",
            "-keyout", "ca.key", "-out", "ca.pem")
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
    for name in ("server", "client"):
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/O=tour/CN={name}",
                "-keyout", f"{name}.key", "-out", f"{name}.csr")
        openssl("x509", "-req", "-days", "30", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
                "-CAcreateserial", "-extfile", "names", "-out", f"{name}.crt")
        (folder / f"{name}.pem").write_text((folder / f"{name}.crt").read_text() + (folder / f"{name}.key").read_text())


def stores(folder):
    """The same in Java's formats, made by keytool."""

    def keytool(*arguments):
        subprocess.run(["keytool", *arguments, "-noprompt"], cwd=folder, check=True, capture_output=True)

    for kind, suffix in (("JKS", "jks"), ("PKCS12", "p12")):
        target = ("-storetype", kind, "-storepass", STORE_PASSWORD)
        keytool("-importcert", "-alias", "ca", "-file", "ca.pem", "-keystore", f"trust.{suffix}", *target)
    for name in ("server", "client"):
        run("openssl", "pkcs12", "-export", "-in", f"{name}.pem", "-name", name, "-out", f"{name}.openssl",
            "-passout", f"pass:{STORE_PASSWORD}", cwd=folder)
        for kind, suffix in (("JKS", "jks"), ("PKCS12", "p12")):
            keytool("-importkeystore", "-srckeystore", f"{name}.openssl", "-srcstoretype", "PKCS12",
                    "-srcstorepass", STORE_PASSWORD, "-destkeystore", f"{name}.{suffix}", "-deststoretype", kind,
                    "-deststorepass", STORE_PASSWORD)


def store_lines(folder, sid):
    """Server 1 has its stores in PEM, 2 in JKS, 3 in PKCS12."""
    if sid == 1:
        return [f"ssl.keyStore.location={folder}/server.pem", f"ssl.trustStore.location={folder}/ca.pem"]
    suffix = {2: "jks", 3: "p12"}[sid]
    return [
        f"ssl.keyStore.location={folder}/server.{suffix}",
        f"ssl.keyStore.password={STORE_PASSWORD}",
        f"ssl.trustStore.location={folder}/trust.{suffix}",
        f"ssl.trustStore.password={STORE_PASSWORD}",
    ]


def ensemble_with_everything(folder):
    tls_ports = dict(zip((1, 2, 3), free_ports(3)))
    (folder / "jaas.conf").write_text(
        "Server {\n"
        "  org.apache.zookeeper.server.auth.DigestLoginModule required\n"
        f'  user_{USER}="{PASSWORD}";\n'
        "};\n"
    )
    extra = [
        "extendedTypesEnabled=true",
        "authProvider.1=org.apache.zookeeper.server.auth.SASLAuthenticationProvider",
        "serverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory",
    ]
    flags = f"-Djava.security.auth.login.config={folder}/jaas.conf"
    ensemble = Ensemble(
        extra=extra,
        per_server=lambda sid: [f"secureClientPort={tls_ports[sid]}", *store_lines(folder, sid)],
        environment={"SERVER_JVMFLAGS": flags},
    )
    ensemble.tls_hosts = ",".join(f"127.0.0.1:{port}" for port in tls_ports.values())
    return ensemble


def java_classpath():
    """The 3.9 client if its jars were fetched, else Debian's 3.8."""
    jars = sorted((BUILD / "zk39").glob("*.jar"))
    if not jars:
        names = ("zookeeper", "zookeeper-jute", "slf4j-api", "netty-all", "log4j-1.2", "slf4j-nop")
        jars = [jar for name in names if (jar := pathlib.Path(f"/usr/share/java/{name}.jar")).exists()]
        jars += sorted(pathlib.Path("/usr/share/java").glob("netty-*.jar"))
    return ":".join(map(str, jars))


def run(*command, **named):
    subprocess.run([str(part) for part in command], check=True, **named)


def build_java():
    out = BUILD / "java"
    out.mkdir(parents=True, exist_ok=True)
    run("javac", "-d", out, "-cp", java_classpath(), HERE / "clients/java/Tour.java")
    return ["java", "-cp", f"{out}:{java_classpath()}", "Tour"]


def build_c():
    program = BUILD / "c_tour"
    run("gcc", "-Wall", "-DTHREADED", "-o", program, HERE / "clients/c/tour.c", "-lzookeeper_mt", "-lpthread")
    return [str(program)]


def build_node():
    out = BUILD / "node"
    out.mkdir(parents=True, exist_ok=True)
    shutil.copy(HERE / "clients/node/tour.js", out / "tour.js")
    if not (out / "node_modules/node-zookeeper-client").exists():
        run("npm", "install", "--silent", "--no-fund", "--no-audit", "--no-save", "node-zookeeper-client@1.1.3", cwd=out)
    return ["node", str(out / "tour.js")]


def build_rust():
    target = BUILD / "rust"
    manifest = HERE / "clients/rust/Cargo.toml"
    run("cargo", "build", "--quiet", "--manifest-path", manifest, "--target-dir", target)
    return [str(target / "debug/rust-tour")]


def build_recipes():
    return [sys.executable, str(HERE / "recipes.py")]


TOURS = {"recipes": build_recipes, "java": build_java, "c": build_c, "node": build_node, "rust": build_rust}


def main():
    names = sys.argv[1:] or list(TOURS)
    checks = Checks("tours")
    BUILD.mkdir(parents=True, exist_ok=True)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="quorate-tours-"))
    certificates(folder)
    stores(folder)
    commands = {}
    for name in names:
        with checks.claim(f"the {name} tour builds"):
            commands[name] = TOURS[name]()
    ensemble = ensemble_with_everything(folder)
    ensemble.form(checks)
    environment = {
        **os.environ,
        "CONNECT": ensemble.hosts(),
        "CONNECT_TLS": ensemble.tls_hosts,
        "PEM": str(folder),
        "STORE_PASSWORD": STORE_PASSWORD,
        "SASL_USER": USER,
        "SASL_PASSWORD": PASSWORD,
    }
    for name, command in commands.items():
        with checks.claim(f"the {name} tour ends well"):
            code = subprocess.run(command, env=environment, timeout=300).returncode
            assert code == 0, f"ended with {code}"
    ensemble.close()
    if not checks.failed:
        shutil.rmtree(folder, ignore_errors=True)
    checks.finish()


if __name__ == "__main__":
    main()
