/** Seeded randomness, and inputs made from others by it: one seed, one input. */

/** Longer than any frame and any file of the corpora; what grows beyond is cut. */
const MAXIMUM_LENGTH = 16_384;

/** A whole number below `bound`. */
export type Random = (bound: number) => number;

/** mulberry32: 32 bits of state, enough to pick mutations. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return (bound) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % bound;
  };
}

/** One of the corpus after one to six mutations. */
export function mutate(random: Random, corpus: readonly Uint8Array[]): Uint8Array {
  let bytes = pick(random, corpus).slice();
  for (let left = 1 + random(6); left > 0; left--) {
    bytes = pick(random, MUTATIONS)(random, bytes, corpus).slice(0, MAXIMUM_LENGTH);
  }
  return bytes;
}

type Mutation = (random: Random, bytes: Uint8Array, corpus: readonly Uint8Array[]) => Uint8Array;

/** The edges of lengths, counts and checksums. */
const INTERESTING = [0, 1, 2, 3, 4, 7, 8, 16, 20, 0x40, 0x7f, 0x80, 0xfe, 0xff];

const MUTATIONS: readonly Mutation[] = [
  function flipBit(random, bytes) {
    const at = random(bytes.length + 1);
    if (at < bytes.length) bytes[at] = (bytes[at] as number) ^ (1 << random(8));
    return bytes;
  },
  function setByte(random, bytes) {
    const at = random(bytes.length + 1);
    const value = random(2) === 0 ? pick(random, INTERESTING) : random(256);
    if (at < bytes.length) bytes[at] = value;
    return bytes;
  },
  function addToWord(random, bytes) {
    const at = random(Math.max(1, bytes.length - 1));
    if (at + 2 > bytes.length) return bytes;
    const view = new DataView(bytes.buffer, bytes.byteOffset + at, 2);
    view.setUint16(0, view.getUint16(0) + random(33) - 16);
    return bytes;
  },
  function truncate(random, bytes) {
    return bytes.subarray(0, random(bytes.length + 1));
  },
  function cutOut(random, bytes) {
    const from = random(bytes.length + 1);
    const to = from + random(Math.min(64, bytes.length - from) + 1);
    return join(bytes.subarray(0, from), bytes.subarray(to));
  },
  function repeat(random, bytes) {
    const from = random(bytes.length + 1);
    const to = from + random(Math.min(64, bytes.length - from) + 1);
    return join(bytes.subarray(0, to), bytes.subarray(from));
  },
  function splice(random, bytes, corpus) {
    const other = pick(random, corpus);
    const cut = random(bytes.length + 1);
    return join(bytes.subarray(0, cut), other.subarray(random(other.length + 1)));
  },
];

function pick<T>(random: Random, list: readonly T[]): T {
  return list[random(list.length)] as T;
}

function join(a: Uint8Array, b: Uint8Array): Uint8Array {
  const whole = new Uint8Array(a.length + b.length);
  whole.set(a);
  whole.set(b, a.length);
  return whole;
}
