/** The tokens of a packet's text by name, each to be taken once: what is left over is an error. */
import { fromHex } from './bytes.ts';
import type { Checksum } from './layers.ts';
import { TextError } from './text-error.ts';
import type { Token } from './text-lexer.ts';

interface Value {
  readonly text: string;
  readonly column: number;
}

export class Fields {
  readonly #pairs = new Map<string, Value[]>();
  readonly #words: Value[] = [];
  #strings: Extract<Token, { kind: 'string' }>[] = [];
  #groups: Extract<Token, { kind: 'group' }>[] = [];
  readonly #end: number;

  /** `end` is the column that errors about what is missing point at. */
  constructor(tokens: readonly Token[], end: number) {
    this.#end = end;
    let isEcho = false;
    for (const token of tokens) {
      if (token.kind === 'word') {
        this.#words.push(token);
        isEcho ||= token.text === 'echo' || token.text === 'echo-reply';
      } else if (token.kind === 'pair') {
        // Behind "echo" an identifier is the echo's; before it, it is the IP header's.
        const key = token.key === 'id' && isEcho ? 'echo-id' : token.key;
        const values = this.#pairs.get(key) ?? [];
        values.push({ text: token.value, column: token.column });
        this.#pairs.set(key, values);
      } else if (token.kind === 'string') {
        this.#strings.push(token);
      } else {
        this.#groups.push(token);
      }
    }
  }

  /** Throws TextError at the end of the text. */
  missing(what: string): never {
    throw new TextError(this.#end, `${what} is missing`);
  }

  /** The next word in order. */
  nextWord(what: string): Value {
    return this.#words.shift() ?? this.missing(what);
  }

  peekWord(): string | undefined {
    return this.#words[0]?.text;
  }

  /** Whether the word was there. */
  flag(word: string): boolean {
    const index = this.#words.findIndex(({ text }) => text === word);
    if (index < 0) return false;
    this.#words.splice(index, 1);
    return true;
  }

  /** The first of some words, wherever it stands. */
  oneOf<Word extends string>(words: readonly Word[]): Word | undefined {
    return words.find((word) => this.flag(word));
  }

  has(key: string): boolean {
    return this.#pairs.has(key);
  }

  all(key: string): Value[] {
    const values = this.#pairs.get(key) ?? [];
    this.#pairs.delete(key);
    return values;
  }

  value(key: string): Value | undefined {
    const [value, second] = this.all(key);
    if (second) throw new TextError(second.column, `${key}= a second time`);
    return value;
  }

  /** A decimal or 0x number up to `maximum`; undefined where the key is absent. */
  number(key: string, maximum: number): number | undefined {
    const value = this.value(key);
    return value && parseNumber(value.text, value.column, maximum, key);
  }

  hex(key: string): Uint8Array | undefined {
    const value = this.value(key);
    if (!value) return undefined;
    const bytes = fromHex(value.text);
    if (!bytes) throw new TextError(value.column, `${key}= needs pairs of hexadecimal digits`);
    return bytes;
  }

  /** A value that `parse` understands: an address, say. */
  parsed<T>(key: string, parse: (text: string) => T | undefined, what: string): T | undefined {
    const value = this.value(key);
    if (!value) return undefined;
    return parse(value.text) ?? fail(value.column, `${key}= needs ${what}`);
  }

  string(): Uint8Array | undefined {
    return this.#strings.shift()?.bytes;
  }

  group(): { readonly text: string; readonly column: number } | undefined {
    return this.#groups.shift();
  }

  /** Throws TextError for anything not taken. */
  finish(): void {
    const [word] = this.#words;
    if (word) throw new TextError(word.column, `"${word.text}" means nothing here`);
    for (const [key, values] of this.#pairs) {
      const name = key === 'echo-id' ? 'id' : key;
      throw new TextError((values[0] as Value).column, `${name}= means nothing here`);
    }
    const [string] = this.#strings;
    if (string) throw new TextError(string.column, 'a payload means nothing here');
    const [group] = this.#groups;
    if (group) throw new TextError(group.column, 'a quoted packet means nothing here');
  }
}

export interface Endpoint {
  readonly address: number | Uint8Array;
  readonly port: number | undefined;
}

export function parseNumber(text: string, column: number, maximum: number, what: string): number {
  const isNumber = /^(\d{1,10}|0x[0-9a-fA-F]{1,8})$/.test(text);
  if (!isNumber || Number(text) > maximum) {
    throw new TextError(column, `${what} needs a number from 0 to ${maximum}`);
  }
  return Number(text);
}

export function parseChecksum(fields: Fields, key: string): Checksum | undefined {
  const value = fields.value(key);
  if (!value) return undefined;
  return value.text === 'bad' ? 'bad' : parseNumber(value.text, value.column, 0xffff, `${key}=`);
}

/** An object with the key, or without it where there is no value. */
export function given<Key extends string, T>(key: Key, value: T | undefined): { [K in Key]?: T } {
  return value === undefined ? {} : ({ [key]: value } as { [K in Key]?: T });
}

function fail(column: number, problem: string): never {
  throw new TextError(column, problem);
}
