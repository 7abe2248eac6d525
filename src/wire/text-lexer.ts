/** Splits a packet's text into words, `key=value` pairs, strings and groups in parentheses. */
import { TextError } from './text-error.ts';

/** A 65,535-byte packet in hexadecimal, and as much again for the rest of its line. */
const MAXIMUM_LENGTH = 262_144;

export type Token =
  | { readonly kind: 'word'; readonly column: number; readonly text: string }
  | {
      readonly kind: 'pair';
      readonly column: number;
      readonly key: string;
      /** Without the quotes it may have had. */
      readonly value: string;
    }
  | { readonly kind: 'string'; readonly column: number; readonly bytes: Uint8Array }
  | {
      readonly kind: 'group';
      /** Of the text within the parentheses. */
      readonly column: number;
      readonly text: string;
    };

/** `base` is the column of the text in its line. Throws TextError. */
export function tokenize(text: string, base: number): Token[] {
  if (text.length > MAXIMUM_LENGTH) {
    throw new TextError(base, `text of more than ${MAXIMUM_LENGTH} characters`);
  }
  const tokens: Token[] = [];
  let at = 0;
  while (at < text.length) {
    const char = text[at];
    if (char === ' ' || char === '\t') {
      at += 1;
    } else if (char === '"') {
      const end = stringEnd(text, at, base);
      const bytes = unescapeText(text.slice(at + 1, end - 1), base + at + 1);
      tokens.push({ kind: 'string', column: base + at, bytes });
      at = end;
    } else if (char === '(') {
      const end = groupEnd(text, at, base);
      tokens.push({ kind: 'group', column: base + at + 1, text: text.slice(at + 1, end - 1) });
      at = end;
    } else {
      const end = wordEnd(text, at, base);
      tokens.push(wordToken(text.slice(at, end), base + at));
      at = end;
    }
  }
  return tokens;
}

/** Bytes as the inside of a string: printable ASCII as it is, the rest as `\xNN`. */
export function escapeBytes(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) {
    const isPlain = byte >= 0x20 && byte < 0x7f && byte !== 0x22 && byte !== 0x5c;
    text += isPlain ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, '0')}`;
  }
  return text;
}

function wordToken(text: string, column: number): Token {
  const equals = text.indexOf('=');
  if (equals < 0) return { kind: 'word', column, text };
  const value = text.slice(equals + 1);
  const isQuoted = value.length >= 2 && value.startsWith('"') && value.endsWith('"');
  return {
    kind: 'pair',
    column,
    key: text.slice(0, equals),
    value: isQuoted ? value.slice(1, -1) : value,
  };
}

/** Up to white space or a group; a value's quotes keep white space within. */
function wordEnd(text: string, start: number, base: number): number {
  let at = start;
  while (at < text.length && !' \t()'.includes(text[at])) {
    at = text[at] === '"' ? stringEnd(text, at, base) : at + 1;
  }
  if (text[at] === ')') throw new TextError(base + at, '")" without its "("');
  return at;
}

function stringEnd(text: string, start: number, base: number): number {
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] === '\\') at += 1;
    else if (text[at] === '"') return at + 1;
  }
  throw new TextError(base + start, 'a string without its closing quote');
}

function groupEnd(text: string, start: number, base: number): number {
  let depth = 0;
  for (let at = start; at < text.length; at++) {
    if (text[at] === '"') at = stringEnd(text, at, base) - 1;
    else if (text[at] === '(') depth += 1;
    else if (text[at] === ')' && --depth === 0) return at + 1;
  }
  throw new TextError(base + start, '"(" without its ")"');
}

const ESCAPES: Readonly<Record<string, string>> = {
  n: '\n',
  r: '\r',
  t: '\t',
  '"': '"',
  '\\': '\\',
};

const BACKSLASH = 0x5c;

/** Characters beyond ASCII stand for their UTF-8 bytes. */
function unescapeText(text: string, column: number): Uint8Array {
  const bytes: number[] = [];
  let at = 0;
  while (at < text.length) {
    const point = text.codePointAt(at) as number;
    if (point === BACKSLASH) {
      at += unescapeOne(text, at, column, bytes);
    } else if (point < 0x80) {
      bytes.push(point);
      at += 1;
    } else {
      const character = String.fromCodePoint(point);
      bytes.push(...new TextEncoder().encode(character));
      at += character.length;
    }
  }
  return Uint8Array.from(bytes);
}

/** Adds the byte of the escape at `at`; returns the escape's length. */
function unescapeOne(text: string, at: number, column: number, bytes: number[]): number {
  const simple = ESCAPES[text[at + 1]];
  if (simple !== undefined) {
    bytes.push(simple.charCodeAt(0));
    return 2;
  }
  const hex = text.slice(at + 2, at + 4);
  if (text[at + 1] !== 'x' || !/^[0-9a-fA-F]{2}$/.test(hex)) {
    throw new TextError(column + at, 'an escape other than \\xNN, \\n, \\r, \\t, \\" and \\\\');
  }
  bytes.push(Number.parseInt(hex, 16));
  return 4;
}
