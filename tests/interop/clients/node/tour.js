// node-zookeeper-client's tour: create modes, watchers, transaction, ACLs.
'use strict';
const { promisify } = require('util');
const zookeeper = require('node-zookeeper-client');
const { ACL, CreateMode, Exception, Id, Permission } = zookeeper;

let failed = 0;
async function claim(text, body) {
  try {
    await body();
    console.log(`ok   node: ${text}`);
  } catch (error) {
    failed += 1;
    console.log(`FAIL node: ${text}: ${error.stack}`);
  }
}

function equal(got, want) {
  if (JSON.stringify(got) !== JSON.stringify(want)) {
    throw new Error(`${JSON.stringify(got)}, expected ${JSON.stringify(want)}`);
  }
}

async function fails(code, promise) {
  const error = await promise.then(() => null, (e) => e);
  equal(error && error.getCode && error.getCode(), code);
}

function connect() {
  return new Promise((resolve, reject) => {
    const client = zookeeper.createClient(process.env.CONNECT, { sessionTimeout: 10000 });
    const timer = setTimeout(() => reject(new Error('no connection')), 30000);
    client.once('connected', () => { clearTimeout(timer); resolve(client); });
    client.connect();
  });
}

const names = ['create', 'remove', 'exists', 'getChildren', 'getData', 'setData', 'getACL', 'setACL', 'mkdirp', 'removeRecursive'];
function calls(client) {
  return Object.fromEntries(names.map((name) => [name, promisify(client[name].bind(client))]));
}

async function main() {
  const client = await connect();
  const zk = calls(client);
  await claim('create, getData, setData, exists, remove', async () => {
    equal(await zk.create('/node', Buffer.from('one')), '/node');
    equal((await zk.getData('/node')).toString(), 'one');
    const stat = await zk.setData('/node', Buffer.from('second'), 0);
    equal([stat.version, stat.dataLength], [1, 6]);
    await fails(Exception.BAD_VERSION, zk.setData('/node', Buffer.from('x'), 7));
    await fails(Exception.NODE_EXISTS, zk.create('/node'));
    equal(await zk.exists('/node/none'), null);
    await fails(Exception.NO_NODE, zk.remove('/node/none', -1));
  });
  await claim('ephemeral and sequential nodes', async () => {
    equal(await zk.create('/node/s-', null, CreateMode.EPHEMERAL_SEQUENTIAL), '/node/s-0000000000');
    equal(await zk.create('/node/s-', null, CreateMode.PERSISTENT_SEQUENTIAL), '/node/s-0000000001');
    equal((await zk.getChildren('/node')).sort(), ['s-0000000000', 's-0000000001']);
    await fails(Exception.NO_CHILDREN_FOR_EPHEMERALS, zk.create('/node/s-0000000000/x'));
  });
  await claim('a watcher hears of the next change, once', async () => {
    const events = [];
    await new Promise((resolve) => client.exists('/node/w', (event) => events.push(event), resolve));
    await zk.create('/node/w');
    await zk.setData('/node/w', Buffer.from('1'));
    equal(events.map((e) => [e.getName(), e.getPath()]), [['NODE_CREATED', '/node/w']]);
    await new Promise((resolve) => client.getChildren('/node', (event) => events.push(event), resolve));
    await zk.remove('/node/w', -1);
    equal(events.map((e) => e.getName()), ['NODE_CREATED', 'NODE_CHILDREN_CHANGED']);
  });
  await claim('a transaction: all or nothing', async () => {
    const commit = (transaction) => promisify(transaction.commit.bind(transaction))();
    const results = await commit(client.transaction().create('/node/t', Buffer.from('1')).check('/node/t', 0).setData('/node/t', Buffer.from('2'), 0));
    equal(results.length, 3);
    equal((await zk.getData('/node/t')).toString(), '2');
    await fails(Exception.BAD_VERSION, commit(client.transaction().remove('/node/t').check('/node', 99)));
    equal((await zk.exists('/node/t')) !== null, true);
  });
  await claim('digest: a node for its creator', async () => {
    client.addAuthInfo('digest', Buffer.from('dog:bark'));
    await zk.create('/node/mine', null, [new ACL(Permission.ALL, new Id('auth', ''))], CreateMode.PERSISTENT);
    const other = await connect();
    await fails(Exception.NO_AUTH, calls(other).getData('/node/mine'));
    other.close();
    await zk.setACL('/node/mine', ACL.OPEN_ACL_UNSAFE, -1);
    const [acl] = await new Promise((resolve, reject) => client.getACL('/node/mine', (e, ...r) => (e ? reject(e) : resolve(r))));
    equal(acl[0].id.scheme, 'world');
  });
  await claim('all is deleted in the end', async () => {
    await zk.removeRecursive('/node', -1);
    equal(await zk.exists('/node'), null);
  });
  client.close();
  process.exit(failed ? 1 : 0);
}

main().catch((error) => { console.log(`FAIL node: ${error.stack}`); process.exit(1); });
