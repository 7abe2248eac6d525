/** From a packet script's text to its parts; script.ts has the grammar. */
import type { PortDescription } from './harness-options.ts';
import { type Diagram, duration, parseDiagram, ScriptError } from './script-diagram.ts';

export { ScriptError } from './script-diagram.ts';

/** One packet of a script: a port and a packet's text, with what is still to be filled in. */
export interface PacketLine {
  readonly letter: string;
  readonly line: number;
  readonly port: string;
  readonly text: string;
}

export interface ScriptEvent {
  /** From the script's start. */
  readonly milliseconds: number;
  readonly packet: PacketLine;
}

export interface StoreSettings {
  readonly latencyMilliseconds: number;
  readonly conflictRate: number;
  readonly seed: number;
}

export interface Script {
  readonly ports: readonly PortDescription[];
  readonly store: StoreSettings | undefined;
  readonly answerArp: boolean;
  readonly absent: readonly string[];
  readonly frameMilliseconds: number;
  /** In order of time; of equals, in order of writing. */
  readonly sent: readonly ScriptEvent[];
  readonly expected: readonly ScriptEvent[];
  readonly milliseconds: number;
  /** By reason; undefined where the script says nothing of drops. */
  readonly drops: ReadonlyMap<string, number> | undefined;
}

type Direction = 'in' | 'out';

interface Drawn {
  readonly direction: Direction;
  readonly line: number;
  readonly diagram: Diagram;
  readonly start: number;
}

const maximumLines = 10_000;

/** @throws {ScriptError} */
export function parseScript(text: string): Script {
  const reader = new Reader();
  const lines = text.split('\n');
  if (lines.length > maximumLines)
    throw new ScriptError(maximumLines, `more than ${maximumLines} lines`);
  for (const [index, line] of lines.entries()) reader.read(line.trim(), index + 1);
  return reader.finish();
}

class Reader {
  private readonly ports: PortDescription[] = [];
  private readonly absent: string[] = [];
  private readonly sent: ScriptEvent[] = [];
  private readonly expected: ScriptEvent[] = [];
  private readonly definitions = {
    in: new Map<string, PacketLine>(),
    out: new Map<string, PacketLine>(),
  };
  private store: StoreSettings | undefined;
  private answerArp = true;
  private frameMilliseconds = 1;
  private drops: Map<string, number> | undefined;
  private direction: Direction | undefined;
  private drawn: Drawn[] = [];
  private readonly defined = new Set<string>();
  /** Where the current phase starts, and where it ends so far. */
  private start = 0;
  private end = 0;

  read(line: string, number: number): void {
    if (line === '' || line.startsWith('#')) return;
    const definition = /^([a-zA-Z]):\s+(.*)$/.exec(line);
    if (definition) {
      if (!this.direction)
        throw new ScriptError(number, 'a packet is defined before any "in" or "out"');
      this.define(this.direction, definition[1] as string, definition[2] as string, number);
      return;
    }
    const [word = '', ...rest] = line.split(/\s+/);
    const tail = line.slice(word.length);
    switch (word) {
      case 'in':
      case 'out':
        this.draw(word, tail, number);
        return;
      case 'then':
        this.closePhase();
        this.start = this.end + (rest[0] === undefined ? 0 : duration(rest[0], number));
        this.end = this.start;
        return;
      case 'port':
        this.ports.push(portOf(rest, number));
        return;
      case 'store':
        this.store = storeOf(rest, number);
        return;
      case 'frame':
        this.frameMilliseconds = duration(rest[0] ?? '', number);
        return;
      case 'arp':
        if (rest[0] !== 'off' && rest[0] !== 'on')
          throw new ScriptError(number, 'expected "arp off" or "arp on"');
        this.answerArp = rest[0] === 'on';
        return;
      case 'absent':
        this.absent.push(...rest);
        return;
      case 'drops':
        this.drops = dropsOf(rest, number);
        return;
      default:
        throw new ScriptError(
          number,
          `"${word}" is none of in, out, then, port, store, frame, arp, absent, drops, nor a packet "a: PORT ..."`,
        );
    }
  }

  finish(): Script {
    this.closePhase();
    return {
      ports: this.ports,
      store: this.store,
      answerArp: this.answerArp,
      absent: this.absent,
      frameMilliseconds: this.frameMilliseconds,
      sent: inOrder(this.sent),
      expected: inOrder(this.expected),
      milliseconds: this.end,
      drops: this.drops,
    };
  }

  private draw(direction: Direction, tail: string, line: number): void {
    this.direction = direction;
    const at = /(^|\s)([a-zA-Z]):\s/.exec(tail);
    const picture = at ? tail.slice(0, at.index) : tail;
    const diagram = parseDiagram(picture, this.frameMilliseconds, line);
    this.drawn.push({ direction, line, diagram, start: this.start });
    this.end = Math.max(this.end, this.start + diagram.milliseconds);
    if (at)
      this.define(direction, at[2] as string, tail.slice(at.index).trim().slice(2).trim(), line);
  }

  private define(direction: Direction, letter: string, text: string, line: number): void {
    const name = `${direction} ${letter}`;
    if (this.defined.has(name))
      throw new ScriptError(
        line,
        `"${letter}" of "${direction}" is defined twice; begin anew with "then"`,
      );
    this.defined.add(name);
    const match = /^(\S+)\s+(.+)$/.exec(text);
    if (!match) throw new ScriptError(line, 'expected "PORT PACKET"');
    this.definitions[direction].set(letter, {
      letter,
      line,
      port: match[1] as string,
      text: match[2] as string,
    });
  }

  /** Letters mean what they were last defined as, by the end of the phase that uses them. */
  private closePhase(): void {
    for (const { direction, line, diagram, start } of this.drawn) {
      for (const { milliseconds, letter } of diagram.events) {
        const packet = this.definitions[direction].get(letter);
        if (!packet)
          throw new ScriptError(
            line,
            `"${letter}" of "${direction}" has no packet: add "${letter}: PORT PACKET"`,
          );
        const events = direction === 'in' ? this.sent : this.expected;
        events.push({ milliseconds: start + milliseconds, packet });
      }
    }
    this.drawn = [];
    this.defined.clear();
  }
}

function pairs(
  words: readonly string[],
  keys: readonly string[],
  line: number,
): Map<string, string> {
  return new Map(
    words.map((word) => {
      const [key = '', value] = word.split('=');
      if (value === undefined || !keys.includes(key)) {
        throw new ScriptError(line, `"${word}" is none of ${keys.map((k) => `${k}=`).join(' ')}`);
      }
      return [key, value];
    }),
  );
}

function numberOf(text: string | undefined, usual: number, line: number): number {
  if (text === undefined) return usual;
  const value = Number(text);
  if (text === '' || Number.isNaN(value)) throw new ScriptError(line, `"${text}" is no number`);
  return value;
}

function storeOf(words: readonly string[], line: number): StoreSettings {
  const values = pairs(words, ['latency', 'conflicts', 'seed'], line);
  return {
    latencyMilliseconds: numberOf(values.get('latency'), 0, line),
    conflictRate: numberOf(values.get('conflicts'), 0, line),
    seed: numberOf(values.get('seed'), 1, line),
  };
}

function portOf([name, ...words]: readonly string[], line: number): PortDescription {
  if (name === undefined) throw new ScriptError(line, 'a port needs a name');
  const values = pairs(
    words.filter((word) => word.includes('=')),
    ['mac', 'mtu', 'vlan'],
    line,
  );
  const networks = words.filter((word) => !word.includes('='));
  const mac = values.get('mac');
  return {
    name,
    ...(mac !== undefined && { mac }),
    ...(values.has('mtu') && { mtu: numberOf(values.get('mtu'), 1500, line) }),
    ...(values.has('vlan') && { vlan: numberOf(values.get('vlan'), 0, line) }),
    ...(networks.length > 0 && { networks }),
  };
}

function dropsOf(words: readonly string[], line: number): Map<string, number> {
  if (words.length === 1 && words[0] === 'none') return new Map();
  return new Map(
    words.map((word) => {
      const match = /^([\w-]+)=(\d+)$/.exec(word);
      if (!match) throw new ScriptError(line, `"${word}" is no REASON=COUNT`);
      return [match[1] as string, Number(match[2])];
    }),
  );
}

function inOrder(events: readonly ScriptEvent[]): ScriptEvent[] {
  return events.toSorted((a, b) => a.milliseconds - b.milliseconds);
}
