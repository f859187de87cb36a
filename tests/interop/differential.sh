#!/usr/bin/env bash
# Two servers, alone each, are asked the same at random and must answer the same (tests/differential).
#
# ZK=3.9        Apache ZooKeeper 3.9 (jars in target/interop/zk39), or 3.8 (Debian's package zookeeper)
# PAIR="zk quorate"   which two: also "quorate quorate" and "zk zk", to see that the test itself is sound
# SHORT=1       5,000 requests from seed 1 on; otherwise 200,000 from a seed that is said
# OPS, SEED     how many requests, and the first seed
# SERVER_CMD    starts Quorate, its zoo.cfg is appended
# KEEP=1        keep the servers' directories
set -uo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
zk=${ZK:-3.9}
read -r -a pair <<<"${PAIR:-zk quorate}"
short=${SHORT:-0}
if [[ $short != 0 && -n $short ]]; then
    ops=${OPS:-5000} seed=${SEED:-1}
else
    ops=${OPS:-200000} seed=${SEED:-$(date +%s)}
fi
SERVER_CMD=${SERVER_CMD:-$root/target/release/quorate server start-foreground}

# A fsync a request is not what is tested.
[[ -d /dev/shm && -w /dev/shm ]] && export TMPDIR=/dev/shm
dir=$(mktemp -d -t quorate-differential-XXXXXX)
pids=()
finish() {
    ((${#pids[@]})) && kill "${pids[@]}" 2>/dev/null && wait "${pids[@]}" 2>/dev/null
    if [[ ${KEEP:-0} == 0 ]]; then rm -rf "$dir"; else echo "kept: $dir"; fi
}
trap finish EXIT
trap 'exit 143' INT TERM

fail() {
    echo "FAIL differential: $*"
    exit 1
}

free_port() {
    local port
    while true; do
        port=$((15000 + RANDOM % 16000))
        (: <>/dev/tcp/127.0.0.1/"$port") 2>/dev/null || break
    done
    echo "$port"
}

srvr() {
    (exec 3<>/dev/tcp/127.0.0.1/"$1" && printf srvr >&3 && timeout 5 cat <&3) 2>/dev/null
}

write_config() { # home, port
    mkdir -p "$1/data"
    # super:test is the superuser. Nothing is reaped while streams run.
    cat >"$1/zoo.cfg" <<CONFIG
tickTime=2000
maxSessionTimeout=40000
dataDir=$1/data
clientPort=$2
admin.enableServer=false
clientPortAddress=127.0.0.1
maxClientCnxns=0
preAllocSize=1024
snapCount=10000000
extendedTypesEnabled=true
enforceQuota=true
DigestAuthenticationProvider.superDigest=super:D/InIHSb7yEEbrWz8b9l71RjZJU=
znode.container.checkIntervalMs=86400000
4lw.commands.whitelist=*
admin.enableServer=false
CONFIG
    cat >"$1/log4j2.properties" <<'CONFIG'
status=error
rootLogger.level=warn
rootLogger.appenderRefs=console
rootLogger.appenderRef.console.ref=console
appender.console.type=Console
appender.console.name=console
appender.console.layout.type=PatternLayout
appender.console.layout.pattern=%d %-5p %c{1} %m%n
CONFIG
}

start() { # kind, home
    local classes
    case $1 in
    quorate)
        # shellcheck disable=SC2086
        $SERVER_CMD "$2/zoo.cfg" >"$2/log" 2>&1 </dev/null &
        ;;
    zk)
        case $zk in
        3.9) classes="$root/target/interop/zk39/*" ;;
        3.8) classes=/usr/share/java/zookeeper.jar ;;
        *) fail "ZK=$zk: 3.9 or 3.8" ;;
        esac
        java -Xmx512m -XX:+UseSerialGC -Dznode.container.checkIntervalMs=86400000 \
            -Dlog4j2.configurationFile="$2/log4j2.properties" -cp "$classes" \
            org.apache.zookeeper.server.quorum.QuorumPeerMain "$2/zoo.cfg" >"$2/log" 2>&1 </dev/null &
        ;;
    *) fail "PAIR: $1 is neither zk nor quorate" ;;
    esac
    pids+=($!)
}

names=() ports=() homes=()
for kind in "${pair[@]}"; do
    name=$kind
    [[ $kind == zk ]] && name="apache-$zk"
    [[ ${names[0]:-} == "$name" ]] && name="another-$name"
    port=$(free_port)
    home="$dir/$name"
    write_config "$home" "$port"
    start "$kind" "$home"
    names+=("$name") ports+=("$port") homes+=("$home")
done
((${#names[@]} == 2)) || fail "PAIR names two servers"
for n in 0 1; do
    for _ in $(seq 300); do
        version=$(srvr "${ports[n]}" | head -1)
        [[ $version == *version* ]] && break
        sleep 0.2
    done
    [[ $version == *version* ]] || { tail -20 "${homes[n]}/log"; fail "${names[n]} does not serve"; }
    echo "${names[n]}: $version"
done

rules=
[[ " ${pair[*]} " == *" zk "* && $zk == 3.8 && ${pair[0]} != "${pair[1]}" ]] && rules=3.8
cd "$root" || exit 1
if DIFFERENTIAL_ONE="${names[0]}@127.0.0.1:${ports[0]}" DIFFERENTIAL_OTHER="${names[1]}@127.0.0.1:${ports[1]}" \
    DIFFERENTIAL_RULES=$rules DIFFERENTIAL_OPS=$ops DIFFERENTIAL_SEED=$seed \
    cargo test --release --quiet -p quorate --test differential -- --ignored --nocapture; then
    echo "ok   ${names[0]} and ${names[1]} answer $ops requests alike, from seed $seed on"
else
    for n in 0 1; do
        kill -0 "${pids[n]}" 2>/dev/null || { tail -20 "${homes[n]}/log"; echo "${names[n]} ended"; }
    done
    fail "${names[0]} and ${names[1]} part; again with OPS=$ops SEED=$seed"
fi
