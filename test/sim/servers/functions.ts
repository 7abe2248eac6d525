/**
 * The functions of a server, statement by statement as the library has them
 * (src/state/remote/library.ts): what they remember of calls, in which order they touch keys, which keys
 * they reach for without having been told of them.
 */
import { type Keyspace, NonLocal } from './keyspace.ts';
import { partitionIn, u64, zeroVersion } from './value.ts';

export type ServerReply = null | number | string | readonly ServerReply[];
export type ServerFunction = (
  db: Keyspace,
  keys: readonly string[],
  args: readonly string[],
  now: number,
) => ServerReply;

const sibling = (prefix: string, sign: string) => prefix.slice(0, -1) + sign;
const prefixOf = (key: string) => key.slice(0, -16);
const tagOf = (key: string) => key.slice(0, 4);
const nameOf = (key: string) => key.slice(-16);

/** Deadlines of a call's records by timer class, as numbers and as they lie in a value. */
function deadlines(now: number, args: readonly string[]) {
  const at = [0, 1, 2, 3].map((timer) => {
    const idle = Number(args[timer]);
    return idle > 0 ? now + idle + Math.floor(idle / 4) : 0;
  });
  return { at, packed: at.map(u64) };
}

/** How many records the partitions of a call have: written at its end. */
function counts(db: Keyspace) {
  const changed = new Map<string, number>();
  return {
    get: (prefix: string) => Number(db.get(sibling(prefix, '=')) ?? 0) + (changed.get(prefix) ?? 0),
    add: (prefix: string, n: number) => {
      changed.set(prefix, (changed.get(prefix) ?? 0) + n);
    },
    save: () => {
      for (const [prefix, n] of changed) if (n !== 0) db.increase(sibling(prefix, '='), n);
    },
  };
}

function performed(db: Keyspace, tag: string, writer: string): number {
  return Number(db.field(`${tag}+`, writer) ?? -1);
}

function note(db: Keyspace, tag: string, writer: string, sequence: number): void {
  db.setField(`${tag}+`, writer, String(sequence));
}

/** Sets or forgets when a record ends. */
function schedule(db: Keyspace, key: string, deadline: number): void {
  const due = sibling(prefixOf(key), '!');
  if (deadline > 0) db.setScore(due, deadline, nameOf(key));
  else db.deleteScore(due, nameOf(key));
}

function write(db: Keyspace, keys: readonly string[], args: readonly string[], now: number) {
  const { at, packed } = deadlines(now, args);
  const capacity = Number(args[4]);
  const writer = args[5] as string;
  const sequence = Number(args[6]);
  const count = counts(db);
  const passed = new Map<string, boolean>();
  const replies = args.slice(8).map((op, i): ServerReply => {
    const key = keys[i] as string;
    const [prefix, tag] = [prefixOf(key), tagOf(key)];
    const kind = op[0];
    const version = op.slice(9, 17);
    if (!passed.has(tag)) {
      passed.set(tag, performed(db, tag, writer) >= sequence);
      if (!passed.get(tag)) note(db, tag, writer, sequence);
    }
    if (passed.get(tag)) return db.get(key)?.slice(0, 8) === version ? 1 : 2;
    const old = db.get(key);
    if (kind === 'r') {
      if (old === null) return 1;
      const expected = op.slice(1, 9);
      if (expected !== zeroVersion && expected !== old.slice(0, 8)) return old;
      db.delete(key);
      schedule(db, key, 0);
      count.add(prefix, -1);
      return 1;
    }
    const timer = op.charCodeAt(17) & 3;
    const value = version + packed[timer] + op.slice(17);
    if (kind === 'i') {
      if (old !== null) return old.slice(0, 8) === version ? 1 : old;
      if (count.get(prefix) >= capacity) return 0;
      db.set(key, value);
      count.add(prefix, 1);
      if (at[timer] > 0) schedule(db, key, at[timer]);
      return 1;
    }
    if (old === null) return null;
    const stands = old.slice(0, 8);
    if (stands !== op.slice(1, 9)) return stands === version ? 1 : old;
    db.set(key, value + old.slice(value.length));
    if (at[timer] > 0 || old.slice(8, 16) !== packed[timer]) schedule(db, key, at[timer]);
    return 1;
  });
  count.save();
  return replies;
}

function touch(db: Keyspace, keys: readonly string[], args: readonly string[], now: number) {
  const { at, packed } = deadlines(now, args);
  let touched = 0;
  args.slice(4).forEach((version, i) => {
    const key = keys[i] as string;
    const value = db.get(key);
    if (value?.slice(0, 8) !== version) return;
    const timer = value.charCodeAt(16) & 3;
    if (at[timer] === 0) return;
    db.set(key, value.slice(0, 8) + packed[timer] + value.slice(16));
    schedule(db, key, at[timer]);
    touched++;
  });
  return touched;
}

/** redis.pcall: undefined where a key lies elsewhere. */
function attempt<T>(run: () => T): T | undefined {
  try {
    return run();
  } catch (error) {
    if (error instanceof NonLocal) return undefined;
    throw error;
  }
}

function claim(db: Keyspace, keys: readonly string[], args: readonly string[], now: number) {
  let left = Number(args[0]);
  const lapse = Number(args[1]);
  const count = counts(db);
  const replies: string[] = [];
  for (const due of keys.slice(0, Number(args[2] ?? keys.length))) {
    const prefix = `${due.slice(0, -1)}/`;
    const claimed = sibling(prefix, '?');
    const lapsed = db.upTo(claimed, now, left);
    for (const member of lapsed) db.setScore(claimed, now + lapse, member);
    replies.push(...lapsed);
    left -= lapsed.length;
    if (left <= 0) break;
    const expired = db.upTo(due, now, left);
    for (const key of expired) {
      const value = attempt(() => db.get(prefix + key));
      if (typeof value === 'string') {
        db.delete(prefix + key);
        db.setScore(claimed, now + lapse, key + value);
        db.deleteScore(due, key);
        count.add(prefix, -1);
        replies.push(key + value);
      } else if (value === null && attempt(() => db.exists(due, prefix + key)) !== undefined) {
        db.deleteScore(due, key);
      }
    }
    left -= expired.length;
    if (left <= 0) break;
  }
  count.save();
  return replies;
}

function claimed(db: Keyspace, keys: readonly string[], args: readonly string[]) {
  return args.map((member) => (db.score(keys[0] as string, member) === undefined ? 0 : 1));
}

function confirm(db: Keyspace, keys: readonly string[], args: readonly string[]) {
  return args.filter((member, i) => db.deleteScore(keys[i] as string, member)).length;
}

function discard(db: Keyspace, keys: readonly string[], args: readonly string[]) {
  const count = counts(db);
  const removed = args.map((record, i) => {
    const key = keys[i] as string;
    const value = db.get(key);
    if (
      value === null ||
      value.slice(24, 24 + record.length).padEnd(record.length, '\0') !== record
    )
      return 0;
    db.delete(key);
    schedule(db, key, 0);
    count.add(prefixOf(key), -1);
    return 1;
  });
  count.save();
  return removed;
}

function stand(db: Keyspace, keys: readonly string[], args: readonly string[]) {
  return keys.map((key, i) =>
    args[i] === zeroVersion || db.get(key)?.slice(0, 8) === args[i] ? 1 : 0,
  );
}

function mark(db: Keyspace, keys: readonly string[], args: readonly string[]) {
  let marked = 0;
  keys.forEach((key, i) => {
    const value = db.get(key);
    if (value?.slice(0, 8) !== args[i]) return;
    const flags = String.fromCharCode(value.charCodeAt(17) | 1);
    db.set(key, value.slice(0, 17) + flags + value.slice(18));
    marked++;
  });
  return marked;
}

function add(db: Keyspace, keys: readonly string[], args: readonly string[], now: number) {
  const { at, packed } = deadlines(now, args);
  const capacity = Number(args[4]);
  const writer = `${args[5]}a`;
  const offsets = (args[6] as string).split(',').filter((text) => text !== '');
  const count = counts(db);
  const added = args.slice(7).map((op, i): number => {
    const key = keys[i] as string;
    const [prefix, tag] = [prefixOf(key), tagOf(key)];
    const given = Buffer.from(op, 'latin1');
    const sequence = Number(given.readBigUInt64LE(0));
    if (sequence <= performed(db, tag, writer)) return 1;
    const timer = given.readUInt8(16) & 3;
    const version = op.slice(8, 16);
    const old = db.get(key);
    let answer = 1;
    if (old !== null) {
      const sum = Buffer.from(old, 'latin1');
      for (const text of offsets) {
        const from = 24 + Number(text);
        sum.writeDoubleLE(sum.readDoubleLE(from) + given.readDoubleLE(from), from);
      }
      db.set(key, version + sum.toString('latin1').slice(8));
    } else if (count.get(prefix) >= capacity) {
      answer = 0;
    } else {
      db.set(key, version + packed[timer] + op.slice(16));
      count.add(prefix, 1);
      if (at[timer] > 0) schedule(db, key, at[timer]);
    }
    note(db, tag, writer, sequence);
    return answer;
  });
  count.save();
  return added;
}

function lease(db: Keyspace, keys: readonly string[], args: readonly string[], now: number) {
  const [free, out] = keys as [string, string];
  const [writer, token] = args as [string, string];
  const [want, first, size] = args.slice(2).map(Number) as [number, number, number];
  const [, last, result = ''] = /^\d+ (\d+)(.*)$/.exec(db.field(out, `w${writer}`) ?? '') ?? [];
  if (last === token) return (result.match(/\d+/g) ?? []).map(Number);
  if (Number(last ?? 0) > Number(token)) return [];
  const numbers: number[] = [];
  let next = Number(db.field(out, 'next') ?? first);
  while (numbers.length < want && next < first + size) numbers.push(next++);
  if (numbers.length > 0) db.setField(out, 'next', String(next));
  while (numbers.length < want) {
    const number = db.popFirst(free);
    if (number === undefined) break;
    numbers.push(Number(number));
  }
  for (const number of numbers) db.setField(out, String(number), `${writer}:${now}`);
  db.setField(out, `w${writer}`, `${now} ${token} ${numbers.join(' ')}`);
  return numbers;
}

function give(db: Keyspace, keys: readonly string[], args: readonly string[], now: number) {
  const [free, out] = keys as [string, string];
  const [writer, token, ...numbers] = args as [string, string, ...string[]];
  const [, last, result] = /^\d+ (\d+) (\d+)$/.exec(db.field(out, `g${writer}`) ?? '') ?? [];
  if (last === token) return Number(result);
  if (Number(last ?? 0) > Number(token)) return 0;
  const given = numbers.filter((number) => db.deleteField(out, number));
  for (const number of given) db.push(free, number);
  db.setField(out, `g${writer}`, `${now} ${token} ${given.length}`);
  return given.length;
}

function audit(db: Keyspace, keys: readonly string[], args: readonly string[]) {
  const [free, out] = keys as [string, string];
  let returned = 0;
  for (let i = 0; i < args.length; i += 2) {
    const field = args[i] as string;
    if (db.field(out, field) !== args[i + 1]) continue;
    db.deleteField(out, field);
    if (!/^\d+$/.test(field)) continue;
    db.push(free, field);
    returned++;
  }
  return returned;
}

export const serverFunctions: Record<string, ServerFunction> = {
  rxnf1_write: write,
  rxnf1_remove: write,
  rxnf1_touch: touch,
  rxnf1_claim: claim,
  rxnf1_claimed: claimed,
  rxnf1_confirm: confirm,
  rxnf1_discard: discard,
  rxnf1_stand: stand,
  rxnf1_mark: mark,
  rxnf1_add: add,
  rxnf1_lease: lease,
  rxnf1_give: give,
  rxnf1_audit: audit,
};

/** The partition that a command's keys lie in. */
export const partitionOfKeys = (keys: readonly string[]) => partitionIn(keys[0] as string);
