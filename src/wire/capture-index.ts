/** A capture file as columns: what every reader of captures gives. */

/** Row `i` of every column is about packet `i`, in file order. */
export interface Capture {
  readonly bytes: Uint8Array;
  readonly count: number;
  /** The link type of all packets; undefined where interfaces differ, or where there is none. */
  readonly linkType: number | undefined;
  /** One per interface. */
  readonly linkTypes: readonly number[];
  /** Index into `linkTypes`. */
  readonly interfaces: Uint16Array;
  /** Where the packet begins in `bytes`. */
  readonly offsets: Uint32Array;
  /** Bytes of it in the file. */
  readonly lengths: Uint32Array;
  /** Bytes of it on the wire. */
  readonly originalLengths: Uint32Array;
  /** Since 1970; 0 where the format records none (pcapng's simple packets). */
  readonly timestampsNanoseconds: BigInt64Array;
}
