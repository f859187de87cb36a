/* The C client's tour: synchronous calls, watches through the multi-threaded library, multi, digest. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zookeeper/zookeeper.h>

static int failed;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int connected, auth_result = 1;
static int seen_type;
static char seen_path[256];

static void claim(int holds, const char *text) {
    printf("%s c: %s\n", holds ? "ok  " : "FAIL", text);
    fflush(stdout);
    failed += !holds;
}

static void on_event(zhandle_t *zh, int type, int state, const char *path, void *context) {
    pthread_mutex_lock(&lock);
    if (type == ZOO_SESSION_EVENT) {
        connected = state == ZOO_CONNECTED_STATE;
    } else {
        seen_type = type;
        snprintf(seen_path, sizeof seen_path, "%s", path);
    }
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static void on_auth(int rc, const void *data) {
    pthread_mutex_lock(&lock);
    auth_result = rc;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

/* Waits up to 30 seconds until *what is `value`. */
static int wait_for(const int *what, int value) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 30;
    pthread_mutex_lock(&lock);
    while (*what != value && pthread_cond_timedwait(&changed, &lock, &until) == 0) {
    }
    int reached = *what == value;
    pthread_mutex_unlock(&lock);
    return reached;
}

static int saw(int type, const char *path) {
    return wait_for(&seen_type, type) && strcmp(seen_path, path) == 0;
}

static void nodes(zhandle_t *zh) {
    char path[256], data[64];
    struct Stat stat;
    int length = sizeof data;
    int rc = zoo_create(zh, "/c", "one", 3, &ZOO_OPEN_ACL_UNSAFE, 0, path, sizeof path);
    claim(rc == ZOK && strcmp(path, "/c") == 0, "zoo_create");
    claim(zoo_create(zh, "/c", "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0) == ZNODEEXISTS, "a second one is refused");
    rc = zoo_get(zh, "/c", 0, data, &length, &stat);
    claim(rc == ZOK && length == 3 && stat.version == 0 && stat.czxid == stat.mzxid, "zoo_get with its Stat");
    claim(zoo_set(zh, "/c", "two", 3, 7) == ZBADVERSION, "zoo_set of a wrong version");
    claim(zoo_set2(zh, "/c", "three", 5, 0, &stat) == ZOK && stat.version == 1, "zoo_set2");
    rc = zoo_create2(zh, "/c/s-", "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_SEQUENCE | ZOO_EPHEMERAL, path, sizeof path, &stat);
    claim(rc == ZOK && strcmp(path, "/c/s-0000000000") == 0 && stat.ephemeralOwner == zoo_client_id(zh)->client_id,
          "zoo_create2, ephemeral and sequential");
    rc = zoo_create2_ttl(zh, "/c/ttl", "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_PERSISTENT_WITH_TTL, 3600000, path, sizeof path, &stat);
    claim(rc == ZOK && stat.ephemeralOwner == 0, "zoo_create2_ttl");
    rc = zoo_create2(zh, "/c/box", "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_CONTAINER, path, sizeof path, &stat);
    claim(rc == ZOK, "zoo_create2 of a container");
    struct String_vector children;
    rc = zoo_get_children2(zh, "/c", 0, &children, &stat);
    claim(rc == ZOK && children.count == 3 && stat.numChildren == 3, "zoo_get_children2");
    deallocate_String_vector(&children);
    claim(zoo_delete(zh, "/c", -1) == ZNOTEMPTY, "zoo_delete of a parent");
    zoo_delete(zh, "/c/s-0000000000", -1);
    zoo_delete(zh, "/c/ttl", -1);
    claim(zoo_delete(zh, "/c/box", 0) == ZOK, "zoo_delete");
    claim(zoo_exists(zh, "/c/none", 0, &stat) == ZNONODE, "zoo_exists of a missing node");
    claim(zoo_create(zh, "c", "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0) == ZBADARGUMENTS, "a path without a slash");
}

static void watches(zhandle_t *zh) {
    struct Stat stat;
    seen_type = 0;
    zoo_wexists(zh, "/c/w", on_event, NULL, &stat);
    zoo_create(zh, "/c/w", "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0);
    claim(saw(ZOO_CREATED_EVENT, "/c/w"), "a watch on a missing node fires when it is created");
    zoo_wexists(zh, "/c/w", on_event, NULL, &stat);
    zoo_set(zh, "/c/w", "x", 1, -1);
    claim(saw(ZOO_CHANGED_EVENT, "/c/w"), "a data watch fires");
    struct String_vector children;
    zoo_wget_children(zh, "/c", on_event, NULL, &children);
    deallocate_String_vector(&children);
    zoo_delete(zh, "/c/w", -1);
    claim(saw(ZOO_CHILD_EVENT, "/c"), "a child watch fires");
    zoo_wexists(zh, "/c", on_event, NULL, &stat);
    claim(zoo_remove_watches(zh, "/c", ZWATCHTYPE_DATA, on_event, NULL, 0) == ZOK, "zoo_remove_watches");
    claim(zoo_remove_watches(zh, "/c", ZWATCHTYPE_DATA, on_event, NULL, 0) == ZNOWATCHER, "and there is none left");
}

static void multi(zhandle_t *zh) {
    zoo_op_t ops[3];
    zoo_op_result_t results[3];
    char path[64];
    struct Stat stat;
    zoo_create_op_init(&ops[0], "/c/m", "1", 1, &ZOO_OPEN_ACL_UNSAFE, 0, path, sizeof path);
    zoo_check_op_init(&ops[1], "/c/m", 0);
    zoo_set_op_init(&ops[2], "/c/m", "2", 1, 0, &stat);
    claim(zoo_multi(zh, 3, ops, results) == ZOK && stat.version == 1, "zoo_multi: create, check, set");
    zoo_set_op_init(&ops[0], "/c/m", "3", 1, -1, &stat);
    zoo_check_op_init(&ops[1], "/c/m", 9);
    zoo_delete_op_init(&ops[2], "/c/m", -1);
    int rc = zoo_multi(zh, 3, ops, results);
    claim(rc == ZBADVERSION && results[1].err == ZBADVERSION && results[2].err == ZRUNTIMEINCONSISTENCY,
          "a failing zoo_multi names the failing operation");
    claim(zoo_exists(zh, "/c/m", 0, &stat) == ZOK && stat.version == 1, "and changes nothing");
    zoo_delete(zh, "/c/m", -1);
}

static void access_rules(zhandle_t *zh, const char *hosts) {
    auth_result = 1;
    zoo_add_auth(zh, "digest", "cat:meow", 8, on_auth, NULL);
    claim(wait_for(&auth_result, ZOK), "zoo_add_auth digest");
    claim(zoo_create(zh, "/c/mine", "x", 1, &ZOO_CREATOR_ALL_ACL, 0, NULL, 0) == ZOK, "a node for its creator");
    struct ACL_vector acl;
    struct Stat stat;
    int rc = zoo_get_acl(zh, "/c/mine", &acl, &stat);
    claim(rc == ZOK && acl.count == 1 && strcmp(acl.data[0].id.scheme, "digest") == 0, "zoo_get_acl");
    deallocate_ACL_vector(&acl);
    zhandle_t *stranger = zookeeper_init(hosts, NULL, 10000, NULL, NULL, 0);
    char data[8];
    int length = sizeof data;
    do {
        usleep(10000);
        rc = zoo_get(stranger, "/c/mine", 0, data, &length, &stat);
    } while (rc == ZCONNECTIONLOSS || rc == ZINVALIDSTATE);
    claim(rc == ZNOAUTH, "a stranger may not read it");
    zookeeper_close(stranger);
    claim(zoo_set_acl(zh, "/c/mine", -1, &ZOO_OPEN_ACL_UNSAFE) == ZOK, "zoo_set_acl");
    zoo_delete(zh, "/c/mine", -1);
}

int main(void) {
    const char *hosts = getenv("CONNECT");
    zoo_set_debug_level(ZOO_LOG_LEVEL_ERROR);
    zhandle_t *zh = zookeeper_init(hosts, on_event, 10000, NULL, NULL, 0);
    claim(zh && wait_for(&connected, 1), "connected");
    if (failed) return 1;
    nodes(zh);
    watches(zh);
    multi(zh);
    access_rules(zh, hosts);
    claim(zoo_delete(zh, "/c", -1) == ZOK, "all is deleted in the end");
    claim(zookeeper_close(zh) == ZOK, "closed");
    return failed != 0;
}
