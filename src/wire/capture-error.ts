/** The one error that reading a capture file throws. */
import type { Capture } from './capture-index.ts';

export type CaptureErrorCode =
  /** The file begins like no known capture format. */
  | 'not-a-capture'
  /** The file ends inside a record, as after an interrupted recording. */
  | 'cut-short'
  /** A record's lengths contradict each other or the format. */
  | 'bad-record'
  /** A packet names an interface that no block described. */
  | 'unknown-interface'
  /** Above 4 GiB, the reach of an index of 32-bit offsets. */
  | 'too-large';

const MEND: Readonly<Record<CaptureErrorCode, string>> = {
  'not-a-capture': 'give a pcap or pcapng file, not compressed; `capinfos FILE` names its format',
  'cut-short':
    'the packets before it are in `capture`; `editcap IN OUT` rewrites the file with them',
  'bad-record': 'the file is damaged here; the packets before it are in `capture`',
  'unknown-interface': 'the file is damaged here; the packets before it are in `capture`',
  'too-large': 'split it with `editcap -c PACKETS IN OUT`',
};

export class CaptureError extends Error {
  readonly code: CaptureErrorCode;
  /** Where in the file the offending record or field begins. */
  readonly byteOffset: number;
  /** The packets read before it; undefined where there was no file header to begin with. */
  readonly capture: Capture | undefined;

  constructor(
    code: CaptureErrorCode,
    byteOffset: number,
    found: string,
    capture: Capture | undefined,
  ) {
    super(`${code} at byte ${byteOffset}: ${found} (${MEND[code]})`);
    this.name = 'CaptureError';
    this.code = code;
    this.byteOffset = byteOffset;
    this.capture = capture;
  }
}
