/** Why a line is not a packet's text, and where in the line. */
export class TextError extends Error {
  readonly code = 'bad-packet-text';
  /** Counted from 0. */
  readonly column: number;

  constructor(column: number, problem: string) {
    super(`${problem} (column ${column + 1})`);
    this.name = 'TextError';
    this.column = column;
  }
}
