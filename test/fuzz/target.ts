/** What a fuzzer calls: test/fuzz/NAME.fuzz.ts exports `targets`, and test/fuzz/main.ts finds them. */
export interface FuzzTarget {
  readonly name: string;
  /** Inputs to start from; each run mutates one of them. */
  readonly corpus: readonly Uint8Array[];
  /** Throws, or rejects, where the input shows a fault. It owns `bytes`. */
  run(bytes: Uint8Array): void | Promise<void>;
}
