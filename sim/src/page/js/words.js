// What things are called, and to which kind they belong.

/// The kinds of the legend, by place. `key` switches one; `hue` is a colour of the style sheet.
const CATEGORIES = [
  { name: 'roles', key: '1', hue: '--k-life', on: true },
  { name: 'election', key: '2', hue: '--k-election', on: true },
  { name: 'epochs, sync', key: '3', hue: '--k-epoch', on: true },
  { name: 'log', key: '4', hue: '--k-log', on: true },
  { name: 'acks', key: '5', hue: '--k-ack', on: true },
  { name: 'commits', key: '6', hue: '--k-commit', on: true },
  { name: 'fsyncs', key: '7', hue: '--k-sync', on: true },
  { name: 'clients', key: '8', hue: '--k-client', on: true },
  { name: 'heartbeats', key: '9', hue: '--k-beat', on: false },
  { name: 'actions', key: '0', hue: '--k-fault', on: true },
];
const [LIFE, ELECTION, EPOCH, LOG, ACK, COMMIT, SYNC, CLIENT, BEAT, FAULT] = CATEGORIES.keys();

/// Notes: kind, weight, and what the chart writes. Weight 3 is always drawn on its own, 2 has its
/// label before others do.
const NOTES = {
  Recovered: [LIFE, 2, 'recovered'],
  GaveUp: [LIFE, 3, 'gives up: {why}'],
  Broken: [LIFE, 3, 'assertion {id} fails'],
  Vote: [ELECTION, 1, 'votes {leader}'],
  VoteCounted: [ELECTION, 1, 'counts vote of {from}'],
  Elected: [ELECTION, 3, 'elected {leader}'],
  EpochOffered: [EPOCH, 2, 'offers epoch {epoch}'],
  EpochAckCounted: [EPOCH, 1, 'counts ACKEPOCH of {from}'],
  AcceptedEpochDurable: [EPOCH, 1, 'acceptedEpoch {epoch}'],
  CurrentEpochDurable: [EPOCH, 1, 'currentEpoch {epoch}'],
  SyncChosen: [EPOCH, 2, '{mode} for {learner}'],
  NewLeaderAckCounted: [EPOCH, 1, 'counts NEWLEADER ack of {from}'],
  Established: [EPOCH, 3, 'established, epoch {epoch}'],
  Serving: [EPOCH, 3, 'serves, epoch {epoch}'],
  Proposed: [LOG, 1, 'proposes {zxid}'],
  Appended: [LOG, 1, 'appends {zxid}'],
  Durable: [LOG, 1, 'durable {zxid}'],
  Truncated: [LOG, 3, 'truncates to {to}'],
  SnapshotDurable: [LOG, 1, 'snapshot of {zxid}'],
  SnapshotInstalled: [LOG, 2, 'installs snapshot {zxid}'],
  AckSent: [ACK, 1, 'acks {zxid}'],
  AckCounted: [ACK, 1, 'counts ack of {from}'],
  Committed: [COMMIT, 2, 'commits {zxid}'],
  Applied: [COMMIT, 1, 'applies {zxid}'],
  FastForwarded: [COMMIT, 1, 'replays log to {to}'],
  SessionExpired: [CLIENT, 2, 'session expires'],
  SessionTouched: [BEAT, 0, 'session touched'],
  QuorumAlive: [BEAT, 0, 'quorum alive'],
};

/// Frames: the kind that each belongs to.
const FRAMES = {
  HANDSHAKE: ELECTION,
  NOTIFICATION: ELECTION,
  FOLLOWERINFO: EPOCH,
  OBSERVERINFO: EPOCH,
  LEADERINFO: EPOCH,
  ACKEPOCH: EPOCH,
  DIFF: EPOCH,
  TRUNC: EPOCH,
  SNAP: EPOCH,
  SNAPSHOT: EPOCH,
  NEWLEADER: EPOCH,
  UPTODATE: EPOCH,
  PROPOSAL: LOG,
  ACK: ACK,
  COMMIT: COMMIT,
  INFORM: COMMIT,
  REQUEST: CLIENT,
  SYNC: CLIENT,
  CLIENT: CLIENT,
  PING: BEAT,
  REVALIDATE: BEAT,
};

/// The lines of a server's state: what the table calls them.
const STATE_NAMES = {
  process: 'process',
  role: 'role',
  established: 'leads epoch',
  serving: 'serves in epoch',
  accepted: 'acceptedEpoch',
  current: 'currentEpoch',
  logged: 'last logged',
  durable: 'durable to',
  applied: 'applied to',
  committed: 'committed by all',
};

/// ZooKeeper's names of the errors clients meet.
const ERRORS = {
  '-4': 'CONNECTIONLOSS',
  '-101': 'NONODE',
  '-103': 'BADVERSION',
  '-108': 'NOCHILDRENFOREPHEMERALS',
  '-110': 'NODEEXISTS',
  '-111': 'NOTEMPTY',
  '-112': 'SESSIONEXPIRED',
  '-118': 'SESSIONMOVED',
};

const errorName = (err) => (err === 0 ? 'ok' : ERRORS[err] ?? `error ${err}`);

/// Seconds with groups of three: 12.800 935 176.
function seconds(ns, digits = 9) {
  const whole = Math.floor(ns / 1e9);
  const rest = String(Math.floor(ns - whole * 1e9)).padStart(9, '0').slice(0, digits);
  const groups = rest.match(/.{1,3}/g);
  return groups ? `${whole}.${groups.join('\u2009')}` : String(whole);
}

/// A length of time in the unit that suits it: 3.2 ms.
function span(ns) {
  const [unit, size] = ns >= 1e9 ? ['s', 1e9] : ns >= 1e6 ? ['ms', 1e6] : ns >= 1e3 ? ['us', 1e3] : ['ns', 1];
  const value = ns / size;
  const text = unit === 'ns' || value >= 1000 ? String(Math.round(value)) : String(Number(value.toPrecision(4)));
  return `${text}\u202f${unit === 'us' ? '\u00b5s' : unit}`;
}

/// How far something is from here, in words.
const apart = (ns) => (ns === 0 ? 'at the same time' : `${span(Math.abs(ns))} ${ns < 0 ? 'before' : 'after'}`);

/// 1234567 as 1,234,567.
const count = (n) => n.toLocaleString('en-US');

/// 0x100000004 with its epoch and counter behind it.
function zxidLong(text) {
  if (text === '-1') return 'none: no consent to vote';
  const zxid = BigInt(text);
  return `${text} (${zxid >> 32n},${zxid & 0xffffffffn})`;
}
