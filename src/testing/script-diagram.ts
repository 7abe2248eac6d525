/** One line of marbles: which packet in which frame. */

/** A mistake in a script, with the line that it is in, counted from 1. */
export class ScriptError extends Error {
  readonly code = 'ERR_PACKET_SCRIPT';
  readonly line: number;

  constructor(line: number, problem: string) {
    super(`line ${line}: ${problem}`);
    this.name = 'ScriptError';
    this.line = line;
  }
}

export interface Diagram {
  readonly events: readonly { readonly milliseconds: number; readonly letter: string }[];
  readonly milliseconds: number;
}

const units: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
/** `--a 5s (bc)-|`: one frame a character, a group or a letter; a time with spaces around it as long as it says. */
export function parseDiagram(picture: string, frame: number, line: number): Diagram {
  const events: { milliseconds: number; letter: string }[] = [];
  let now = 0;
  let group = false;
  for (const match of picture.matchAll(/(?<=^|\s)(\d+(?:\.\d+)?(?:ms|s|m|h))(?=\s|$)|(\S)/g)) {
    const [, skip, char = ''] = match;
    if (skip !== undefined) {
      now += duration(skip, line);
    } else if (/[a-zA-Z]/.test(char)) {
      events.push({ milliseconds: now, letter: char });
      if (!group) now += frame;
    } else if (char === '-') {
      now += frame;
    } else if (char === '(' && !group) {
      group = true;
    } else if (char === ')' && group) {
      group = false;
      now += frame;
    } else if (char !== '|') {
      throw new ScriptError(
        line,
        `"${char}" means nothing in a diagram: it has - letters ( ) | and times such as 5s between spaces`,
      );
    }
  }
  if (group) throw new ScriptError(line, 'a group without its ")"');
  return { events, milliseconds: now };
}

/** Milliseconds of `10ms`, `5s`, `2m` or `1h`. */
export function duration(text: string, line: number): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text);
  if (!match) throw new ScriptError(line, `"${text}" is no duration such as 10ms, 5s, 2m or 1h`);
  return Number(match[1]) * (units[match[2] as string] as number);
}
