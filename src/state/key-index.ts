/** A bounded set of 16-byte keys, each with a small number of its own while it is there. */

const none = -1;

export class KeyIndex {
  /** Numbers of the keys that are there, in no order. */
  readonly live: number[] = [];
  private readonly unused: number[] = [];
  private readonly keys: Uint32Array;
  /** By number: where it stands in `live`, and the next in its chain. */
  private readonly position: Int32Array;
  private readonly next: Int32Array;
  private readonly chains: Int32Array;

  constructor(capacity: number) {
    this.keys = new Uint32Array(capacity * 4);
    this.position = new Int32Array(capacity);
    this.next = new Int32Array(capacity);
    this.chains = new Int32Array(2 ** Math.ceil(Math.log2(Math.max(2, capacity)))).fill(none);
    for (let number = capacity - 1; number >= 0; number--) this.unused.push(number);
  }

  get full(): boolean {
    return this.unused.length === 0;
  }

  /** The number of the key at a byte offset, or -1. */
  find(view: DataView, at: number): number {
    const a = view.getUint32(at, true);
    const b = view.getUint32(at + 4, true);
    const c = view.getUint32(at + 8, true);
    const d = view.getUint32(at + 12, true);
    const { keys, next } = this;
    for (let n = this.chains[this.chain(a, b, c, d)] as number; n !== none; n = next[n] as number) {
      const k = n * 4;
      if (keys[k] === a && keys[k + 1] === b && keys[k + 2] === c && keys[k + 3] === d) return n;
    }
    return none;
  }

  /** Adds a key that is not there; there must be room. Returns its number. */
  add(view: DataView, at: number): number {
    const number = this.unused.pop() as number;
    for (let i = 0; i < 4; i++) this.keys[number * 4 + i] = view.getUint32(at + i * 4, true);
    const chain = this.chainOf(number);
    this.next[number] = this.chains[chain] as number;
    this.chains[chain] = number;
    this.position[number] = this.live.push(number) - 1;
    return number;
  }

  remove(number: number): void {
    const { live, next, position } = this;
    const chain = this.chainOf(number);
    if (this.chains[chain] === number) {
      this.chains[chain] = next[number] as number;
    } else {
      let before = this.chains[chain] as number;
      while (next[before] !== number) before = next[before] as number;
      next[before] = next[number] as number;
    }
    const last = live.pop() as number;
    if (last !== number) {
      live[position[number] as number] = last;
      position[last] = position[number] as number;
    }
    this.unused.push(number);
  }

  private chainOf(number: number): number {
    const { keys } = this;
    const k = number * 4;
    const [a, b] = [keys[k] as number, keys[k + 1] as number];
    return this.chain(a, b, keys[k + 2] as number, keys[k + 3] as number);
  }

  private chain(a: number, b: number, c: number, d: number): number {
    const mixed = Math.imul(
      a ^ Math.imul(b, 31) ^ Math.imul(c, 961) ^ Math.imul(d, 29791),
      0x9e3779b1,
    );
    return (mixed >>> 8) & (this.chains.length - 1);
  }
}
