/** The scenarios: each a bash script for the guest, whose first lines say what it shows. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Scenario {
  readonly name: string;
  /** What it shows, in one sentence. */
  readonly what: string;
  /** After this many it has failed. */
  readonly seconds: number;
  /** Scenarios of one guest run one after the other in it: the name's first word. */
  readonly guest: string;
  /** Another guest has the server of its store. */
  readonly served: boolean;
}

/** A script begins: `# WHAT`, `# seconds: N`, and `# served` where another guest serves it. */
export function readScenarios(folder: string): Scenario[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith('.sh'))
    .sort()
    .map((file) => {
      const name = file.slice(0, -3);
      const [what = '', seconds = '', more] = readFileSync(join(folder, file), 'utf8').split('\n');
      const limit = Number(/^# seconds: (\d+)$/.exec(seconds)?.[1]);
      if (!what.startsWith('# ') || !Number.isInteger(limit)) {
        throw new Error(`${file} does not begin with "# WHAT" and "# seconds: N"`);
      }
      const guest = name.split('-')[0] ?? name;
      return { name, what: what.slice(2), seconds: limit, guest, served: more === '# served' };
    });
}

/** Those whose name is, or begins with, one of the words; all without words. */
export function choose(scenarios: readonly Scenario[], words: readonly string[]): Scenario[] {
  const chosen = (word: string) =>
    scenarios.filter(({ name }) => `${name}-`.startsWith(`${word}-`));
  for (const word of words) {
    if (chosen(word).length > 0) continue;
    const names = scenarios.map(({ name }) => name).join(', ');
    throw new RangeError(`no scenario is called ${word}; there are: ${names}`);
  }
  return words.length === 0 ? [...scenarios] : [...new Set(words.flatMap(chosen))];
}
