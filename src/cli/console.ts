/**
 * Where commands write. Standard output is for results and, from `rxnf run`, one JSON line per event;
 * standard error for people and logs. A table that is live on a terminal is drawn in place.
 */
import type { Writable } from 'node:stream';

export type Terminal = Writable & { readonly isTTY?: boolean; readonly columns?: number };

const clearLine = '\x1b[2K';
const up = (lines: number) => `\x1b[${lines}A`;

export class Console {
  readonly out: Terminal;
  readonly error: Terminal;
  private drawn = 0;

  constructor(out: Terminal, error: Terminal) {
    this.out = out;
    this.error = error;
  }

  /** One event as a JSON line on standard output. */
  event(event: object): void {
    this.aside(`${JSON.stringify(event)}\n`, this.out);
  }

  /** One event as a JSON line on standard error. */
  log(event: object): void {
    this.aside(`${JSON.stringify(event)}\n`, this.error);
  }

  /** Text on standard error. */
  warn(text: string): void {
    this.aside(`${text}\n`, this.error);
  }

  print(text: string): void {
    this.aside(`${text}\n`, this.out);
  }

  /** Draws a table over the one drawn before. Only on a terminal: elsewhere it does nothing. */
  draw(table: string, terminal: Terminal = this.error): void {
    if (!terminal.isTTY) return;
    const lines = table.split('\n');
    const text = lines.map((line) => clearLine + line).join('\n');
    terminal.write(`${this.drawn > 0 ? `${up(this.drawn)}\r` : ''}${text}\n`);
    this.drawn = lines.length;
  }

  /** What is drawn next goes below. */
  settle(): void {
    this.drawn = 0;
  }

  private aside(text: string, stream: Terminal): void {
    this.settle();
    stream.write(text);
  }
}
