#!/bin/sh
# What the image runs: zoo.cfg and myid from the variables of Apache ZooKeeper's image, then the command.
#
#   ZOO_CONF_DIR /conf, ZOO_DATA_DIR /data, ZOO_DATA_LOG_DIR /datalog, ZOO_LOG_DIR /logs
#   ZOO_MY_ID                 1, or as ZOO_MY_ID_FROM_HOSTNAME says
#   ZOO_MY_ID_FROM_HOSTNAME   with a value: the number at the end of the host's name, plus 1 (a StatefulSet's pods)
#   ZOO_SERVERS               server.1=zk1:2888:3888;2181 server.2=...; server.1=localhost:2888:3888;2181 alone
#   ZOO_TICK_TIME 2000, ZOO_INIT_LIMIT 5, ZOO_SYNC_LIMIT 2, ZOO_MAX_CLIENT_CNXNS 60
#   ZOO_AUTOPURGE_PURGEINTERVAL 0, ZOO_AUTOPURGE_SNAPRETAINCOUNT 3
#   ZOO_STANDALONE_ENABLED true, ZOO_ADMINSERVER_ENABLED true, ZOO_4LW_COMMANDS_WHITELIST srvr
#   ZOO_CFG_EXTRA             more lines, parted by blanks
#   JVMFLAGS, SERVER_JVMFLAGS the server reads their -D flags
#
# A zoo.cfg that is there already is left as it is, and so is a myid. Scripts in /docker-entrypoint.d are run first;
# those that end in .envsh are read into this shell. As root it hands the directories to the user zookeeper and goes on as
# that user.
set -eu

: "${ZOO_CONF_DIR:=/conf}" "${ZOO_DATA_DIR:=/data}" "${ZOO_DATA_LOG_DIR:=/datalog}" "${ZOO_LOG_DIR:=/logs}"
: "${ZOO_USER:=zookeeper}" "${ZOO_HOOKS_DIR:=/docker-entrypoint.d}"
export ZOO_LOG_DIR
export ZOOCFGDIR="${ZOOCFGDIR:-$ZOO_CONF_DIR}"

case "${1:-}" in
zkServer.sh | quorate) is_server=1 ;;
*) is_server= ;;
esac

if [ "$(id -u)" = 0 ] && [ -n "$is_server" ] && id "$ZOO_USER" >/dev/null 2>&1; then
    for dir in "$ZOO_DATA_DIR" "$ZOO_DATA_LOG_DIR" "$ZOO_LOG_DIR" "$ZOO_CONF_DIR"; do
        mkdir -p "$dir"
        # A directory that is mounted to be read only, as /conf may be, is none of ours.
        chown -R "$ZOO_USER" "$dir" 2>/dev/null || echo "$dir stays with its owner" >&2
    done
    exec setpriv --reuid="$ZOO_USER" --regid="$ZOO_USER" --init-groups "$0" "$@"
fi

if [ -d "$ZOO_HOOKS_DIR" ]; then
    for hook in "$ZOO_HOOKS_DIR"/*; do
        [ -f "$hook" ] || continue
        if [ ! -x "$hook" ]; then
            echo "$hook is passed over: it may not be run" >&2
            continue
        fi
        case "$hook" in
        *.envsh)
            # shellcheck source=/dev/null
            . "$hook"
            ;;
        *.sh) "$hook" ;;
        *) echo "$hook is passed over: it ends in neither .sh nor .envsh" >&2 ;;
        esac
    done
fi

# Words, not lines: the lists are parted by blanks, and hold no patterns.
set -f

config="$ZOO_CONF_DIR/zoo.cfg"
if [ ! -f "$config" ]; then
    mkdir -p "$ZOO_CONF_DIR"
    {
        echo "dataDir=$ZOO_DATA_DIR"
        echo "dataLogDir=$ZOO_DATA_LOG_DIR"
        echo "tickTime=${ZOO_TICK_TIME:-2000}"
        echo "initLimit=${ZOO_INIT_LIMIT:-5}"
        echo "syncLimit=${ZOO_SYNC_LIMIT:-2}"
        echo "autopurge.snapRetainCount=${ZOO_AUTOPURGE_SNAPRETAINCOUNT:-3}"
        echo "autopurge.purgeInterval=${ZOO_AUTOPURGE_PURGEINTERVAL:-0}"
        echo "maxClientCnxns=${ZOO_MAX_CLIENT_CNXNS:-60}"
        echo "standaloneEnabled=${ZOO_STANDALONE_ENABLED:-true}"
        echo "admin.enableServer=${ZOO_ADMINSERVER_ENABLED:-true}"
        for server in ${ZOO_SERVERS:-"server.1=localhost:2888:3888;2181"}; do
            echo "$server"
        done
        [ -z "${ZOO_4LW_COMMANDS_WHITELIST:-}" ] || echo "4lw.commands.whitelist=$ZOO_4LW_COMMANDS_WHITELIST"
        for line in ${ZOO_CFG_EXTRA:-}; do
            echo "$line"
        done
    } >"$config.new"
    mv "$config.new" "$config"
fi

if [ ! -f "$ZOO_DATA_DIR/myid" ]; then
    mkdir -p "$ZOO_DATA_DIR"
    id="${ZOO_MY_ID:-}"
    if [ -z "$id" ] && [ -n "${ZOO_MY_ID_FROM_HOSTNAME:-}" ]; then
        host="${ZOO_HOSTNAME:-$(uname -n)}"
        number="${host##*-}"
        case "$number" in
        "" | *[!0-9]*)
            echo "the name of this host, $host, does not end in a dash and a number: set ZOO_MY_ID" >&2
            exit 2
            ;;
        esac
        id=$((number + 1))
    fi
    echo "${id:-1}" >"$ZOO_DATA_DIR/myid"
fi

exec "$@"
