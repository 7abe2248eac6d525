/** A console whose output a test reads. */
import { Writable } from 'node:stream';
import { Console, type Terminal } from '../../src/cli/console.ts';

export class Page extends Writable {
  text = '';
  readonly isTTY: boolean;

  constructor(isTTY = false) {
    super();
    this.isTTY = isTTY;
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
}

export function testConsole(isTTY = false) {
  const out = new Page(isTTY);
  const error = new Page(isTTY);
  return { out, error, console: new Console(out as Terminal, error as Terminal) };
}
