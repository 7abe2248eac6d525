import type { Probes } from '../ports/probes.ts';
import type { Console } from './console.ts';
export class DemoCommand {
  constructor(console: Console, probes: Probes) {
    void console;
    void probes;
  }
  async run(): Promise<number> {
    return 0;
  }
}
