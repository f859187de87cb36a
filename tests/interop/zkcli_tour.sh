#!/usr/bin/env bash
# The everyday commands of Apache ZooKeeper's own shell, and servers that die under it.
# Runs beside an ensemble:  ensemble.py -- zkcli_tour.sh
set -uo pipefail

ZKCLI=${ZKCLI:-/usr/share/zookeeper/bin/zkCli.sh}
IFS=, read -ra hosts <<<"$CONNECT"
scratch=$(mktemp -d)
shell=0
trap 'exec 9>&- 2>/dev/null; ((shell)) && kill "$shell" 2>/dev/null; rm -rf "$scratch"' EXIT
passed=0 failed=0

# claim TEXT COMMAND...: holds if the command succeeds.
claim() {
    local text=$1
    shift
    if "$@"; then
        passed=$((passed + 1)) && echo "ok   zkcli_tour: $text"
    else
        failed=$((failed + 1)) && echo "FAIL zkcli_tour: $text" && sed 's/^/     | /' "$scratch/out"
    fi
}

# zk SERVER COMMAND...: one command in a zkCli of its own. What it says is in $scratch/out.
zk() {
    local host=${hosts[$1]}
    shift
    timeout 60 "$ZKCLI" -server "$host" "$@" >"$scratch/out" 2>&1
}

# says SERVER TEXT COMMAND...: the command succeeds and a line of its output is the text.
says() {
    local server=$1 text=$2
    shift 2
    zk "$server" "$@" && grep -qxF -- "$text" "$scratch/out"
}

# refuses SERVER TEXT COMMAND...: the command fails and says so.
refuses() {
    local server=$1 text=$2
    shift 2
    ! zk "$server" "$@" && grep -qF -- "$text" "$scratch/out"
}

# wait_until SECONDS COMMAND...
wait_until() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@"; do
        ((SECONDS < deadline)) || return 1
        sleep 0.2
    done
}

one_shots() {
    claim "create" says 0 "Created /zk" create /zk data
    claim "get on every server, after sync" every_server_says data
    claim "create -s" says 0 "Created /zk/n-0000000000" create -s /zk/n- x
    claim "create -s again counts on" says 1 "Created /zk/n-0000000001" create -s /zk/n- x
    claim "create -e" says 1 "Created /zk/e" create -e /zk/e mine
    claim "create below an ephemeral" refuses 1 "Ephemerals cannot have children: /zk/e/x" create /zk/e/x
    claim "ls" says 1 "[e, n-0000000000, n-0000000001]" ls /zk
    claim "ls -R" says 1 "/zk/n-0000000001" ls -R /zk
    # Now, since a command that ends leaves its session to expire.
    claim "delete of an ephemeral" zk 1 delete /zk/e
    claim "set" zk 2 set /zk two
    claim "set -v of the current version" zk 2 set -v 1 /zk three
    claim "get shows the new value" says 2 three get /zk
    claim "stat shows the version" says 2 "dataVersion = 2" stat /zk
    claim "getAcl" says 2 "'world,'anyone" getAcl /zk
    claim "create -c" says 1 "Created /zk/c" create -c /zk/c
    claim "setAcl" zk 1 setAcl /zk/c world:anyone:cdra
    claim "getAcl shows the new list" says 2 ": cdra" getAcl /zk/c
    claim "set without the permission" refuses 0 "Insufficient permission : /zk/c" set /zk/c x
    claim "delete of a container" zk 2 delete /zk/c
    claim "create of what exists" refuses 0 "Node already exists: /zk" create /zk data
    claim "get of what does not" refuses 0 "Node does not exist: /none" get /none
    claim "set -v of another version" refuses 0 "version No is not valid : /zk" set -v 9 /zk x
    claim "delete -v of another version" refuses 0 "version No is not valid : /zk" delete -v 9 /zk
    claim "delete of a parent" refuses 0 "Node not empty: /zk" delete /zk
    claim "delete" zk 0 delete /zk/n-0000000000
    claim "ls with a list of servers" says_with_all "[zk, zookeeper]"
}

every_server_says() {
    local server
    for server in "${!hosts[@]}"; do
        zk "$server" sync /zk && says "$server" "$1" get /zk || return 1
    done
}

says_with_all() {
    timeout 60 "$ZKCLI" -server "$CONNECT" ls / >"$scratch/out" 2>&1 && grep -qxF -- "$1" "$scratch/out"
}

# A zkCli that stays: its commands go in through a pipe, its output grows in $scratch/out.
open_shell() {
    mkfifo "$scratch/in"
    "$ZKCLI" -server "$CONNECT" <"$scratch/in" >"$scratch/out" 2>&1 &
    shell=$!
    exec 9>"$scratch/in"
    wait_until 60 grep -q "state:SyncConnected" "$scratch/out"
}

tell() { echo "$*" >&9; }
heard() { grep -qF -- "$1" "$scratch/out"; }
hears() { wait_until "${2:-60}" heard "$1"; }

watched() {
    tell "ls -w /zk"
    hears "[n-0000000001]" && ! heard NodeChildrenChanged || return 1
    timeout 60 "$ZKCLI" -server "${hosts[2]}" create /zk/child >"$scratch/other" 2>&1
    hears "WatchedEvent state:SyncConnected type:NodeChildrenChanged path:/zk"
}

owner() { grep -o "ephemeralOwner = 0x[0-9a-f]*" "$scratch/out" | sed -n "${1}p"; }
owners() { (($(grep -c "ephemeralOwner = 0x" "$scratch/out") >= $1)); }

holds_ephemeral() {
    tell "create -e /zk/held mine"
    hears "Created /zk/held" && tell "stat /zk/held" && wait_until 60 owners 1
}

# restart N: SIGKILL, then the same server again.
restart() {
    local home="$ENSEMBLE_DIR/$1" pid
    pid=$(<"$home/server.pid")
    kill -9 "$pid" || return 1
    wait_until 30 gone "$pid" || return 1
    setsid $SERVER_CMD "$home/zoo.cfg" >>"$home/server.log" 2>&1 </dev/null 9>&- &
    echo $! >"$home/server.pid"
    wait_until 90 serves "$1"
}

# A killed child of another process may stay as a zombie.
gone() { ! kill -0 "$1" 2>/dev/null || [[ $(ps -o stat= -p "$1") == Z* ]]; }

serves() {
    local port=${hosts[$(($1 - 1))]##*:} answer
    answer=$(exec 2>/dev/null 8<>"/dev/tcp/127.0.0.1/$port" && printf srvr >&8 && cat <&8)
    [[ $answer == *"Mode: leader"* || $answer == *"Mode: follower"* ]]
}

survives_every_restart() {
    local server before count
    before=$(owner 1)
    for server in 1 2 3; do
        restart "$server" || return 1
        # Wherever the shell is connected now: the same session owns what it makes.
        created "/zk/after-$server" || return 1
        count=$(grep -c "ephemeralOwner = 0x" "$scratch/out")
        tell "stat /zk/after-$server"
        wait_until 60 owners $((count + 1)) && [[ $(owner $((count + 1))) == "$before" ]] || return 1
    done
    tell "stat /zk/held"
    wait_until 60 owners 5 && [[ $(owner 5) == "$before" ]]
}

# A command that was under way when its server died is lost: it is given again, by hand.
created() {
    local deadline=$((SECONDS + 60))
    until heard "Created $1" || heard "Node already exists: $1"; do
        ((SECONDS < deadline)) || return 1
        tell "create -e $1 mine"
        wait_until 5 heard "Created $1"
    done
}

quits() {
    tell quit
    wait_until 30 gone "$shell" && shell=0
    says 0 "[child, n-0000000001]" ls /zk
}

one_shots
claim "a shell that stays connects" open_shell
claim "its ls -w fires when another client creates a child" watched
claim "its create -e is its session's" holds_ephemeral
claim "its session outlives every server's SIGKILL, one after another" survives_every_restart
claim "quit ends its session and its ephemerals" quits
claim "deleteall, which is a multi" zk 0 deleteall /zk
claim "nothing is left but zookeeper" says 0 "[zookeeper]" ls /
echo "zkcli_tour: $passed passed, $failed failed"
((failed == 0))
