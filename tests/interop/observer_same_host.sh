#!/usr/bin/env bash
# Three voters and an observer on one host, with ids above 127 and separate dataDir and dataLogDir:
# the zoo.cfg of a test bed, used as it is.
set -uo pipefail

here=$(cd "$(dirname "$0")" && pwd)
SERVER_CMD=${SERVER_CMD:-$here/../../target/release/quorate server start-foreground}
base=$(mktemp -d)
ids=(128 130 131 132)
observer=132
pids=()
passed=0 failed=0

finish() {
    ((${#pids[@]})) && kill -9 "${pids[@]}" 2>/dev/null
    wait 2>/dev/null
    if ((failed)); then echo "kept: $base" >&2; else rm -rf "$base"; fi
}
trap finish EXIT
trap 'exit 143' TERM INT

claim() {
    local text=$1
    shift
    if "$@"; then
        passed=$((passed + 1)) && echo "ok   observer_same_host: $text"
    else
        failed=$((failed + 1)) && echo "FAIL observer_same_host: $text"
    fi
}

# Ports below the range of outgoing connections; a block of 300 that nobody listens on.
first_port() {
    local port
    while port=$((15000 + RANDOM % 16000)); do
        for offset in 0 100 200; do
            for i in 0 1 2 3; do
                (exec 2>/dev/null 8<>"/dev/tcp/127.0.0.1/$((port + offset + i))") && continue 3
            done
        done
        echo "$port" && return
    done
}

write_configs() {
    local port=$1 i id home
    for i in 0 1 2 3; do
        id=${ids[i]}
        home="$base/zk$id"
        mkdir -p "$home/data" "$home/log"
        echo "$id" >"$home/data/myid"
        {
            cat <<CFG
# The number of milliseconds of each tick
tickTime=2000
# The number of ticks that the initial
# synchronization phase can take
initLimit=10
# The number of ticks that can pass between
# sending a request and getting an acknowledgement
syncLimit=5
dataDir=$home/data
dataLogDir=$home/log
# the port at which the clients will connect
clientPort=$((port + i))
admin.enableServer=false
CFG
            ((id == observer)) && echo "peerType=observer"
            for j in 0 1 2; do
                echo "server.${ids[j]}=127.0.0.1:$((port + 100 + j)):$((port + 200 + j))"
            done
            echo "server.$observer=127.0.0.1:$((port + 103)):$((port + 203)):observer"
        } >"$home/zoo.cfg"
    done
}

start() {
    local id
    for id in "${ids[@]}"; do
        $SERVER_CMD "$base/zk$id/zoo.cfg" >"$base/zk$id/server.log" 2>&1 </dev/null &
        pids+=($!)
    done
}

mode() {
    (exec 2>/dev/null 8<>"/dev/tcp/127.0.0.1/$(($port + $1))" && printf srvr >&8 && sed -n 's/^Mode: //p' <&8)
}

modes() {
    local i
    for i in 0 1 2 3; do echo -n "$(mode $i) "; done
}

settle() {
    local deadline=$((SECONDS + 90)) seen
    while ((SECONDS < deadline)); do
        seen=$(modes)
        [[ $(tr ' ' '\n' <<<"$seen" | sort | tr '\n' ' ') == " follower follower leader observer " ]] && return
        # A server that has ended will not serve.
        kill -0 "${pids[@]}" 2>/dev/null || break
        sleep 0.2
    done
    echo "modes: $seen" >&2
    tail -n 5 "$base"/zk*/server.log >&2
    return 1
}

observes() { [[ $(mode 3) == observer ]]; }
votes_are_elsewhere() { [[ " $(mode 0) $(mode 1) $(mode 2) " == *" leader "* ]]; }

# Logs where dataLogDir says, all else where dataDir says.
directories_are_apart() {
    local id home
    for id in "${ids[@]}"; do
        home="$base/zk$id"
        [[ -s $home/data/version-2/currentEpoch && -d $home/log/version-2 ]] || return 1
        ! compgen -G "$home/data/version-2/log.*" >/dev/null || return 1
        ! compgen -G "$home/log/version-2/snapshot.*" >/dev/null || return 1
    done
}

port=$(first_port)
write_configs "$port"
start
claim "three voters and an observer start from one zoo.cfg" settle
claim "srvr on the observer shows Mode: observer" observes
claim "the leader is a voter" votes_are_elsewhere
claim "logs and the rest are in the directories they were given" directories_are_apart
echo "observer_same_host: $passed passed, $failed failed"
((failed == 0))
