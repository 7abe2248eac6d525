/** Commands and replies of a server that are not of the data path: RESP in, flattened words out. */

export type Word = string | number | Uint8Array;

/** A command as a server reads it: an array of bulk strings. */
export function encodeCommand(words: readonly Word[]): Uint8Array {
  const parts: Uint8Array[] = [Buffer.from(`*${words.length}\r\n`)];
  for (const word of words) {
    const bytes = word instanceof Uint8Array ? word : Buffer.from(String(word));
    parts.push(Buffer.from(`$${bytes.length}\r\n`), bytes, lineEnd);
  }
  return Buffer.concat(parts);
}

const lineEnd = Buffer.from('\r\n');

/** A call of the library: function, keys, arguments. */
export function functionCall(
  name: string,
  keys: readonly Word[],
  ...parameters: readonly Word[]
): Word[] {
  return ['FCALL', `rxnf1_${name}`, keys.length, ...keys, ...parameters];
}

/** What the server said of a command that it refused. */
export class ServerRefusal extends Error {
  readonly code = 'ERR_STORE_REFUSED';
}

export type Reply = null | number | Uint8Array | ServerRefusal | readonly Reply[];

/** Kinds of `native/store/remote/call.h`. */
const kind = { null: 0, array: 1, string: 2, number: 3, error: 4 } as const;

/** Reads a reply's words. Strings are copies. */
export function decodeReply(words: Uint32Array): Reply {
  return new ReplyReader(words).next();
}

class ReplyReader {
  private readonly words: Uint32Array;
  private at = 0;

  constructor(words: Uint32Array) {
    this.words = words;
  }

  next(): Reply {
    switch (this.word()) {
      case kind.array:
        return Array.from({ length: this.word() }, () => this.next());
      case kind.string:
        return this.bytes();
      case kind.number: {
        const low = this.word();
        return (this.word() | 0) * 2 ** 32 + low;
      }
      case kind.error:
        return new ServerRefusal(Buffer.from(this.bytes()).toString());
      default:
        return null;
    }
  }

  private word(): number {
    return this.words[this.at++] as number;
  }

  private bytes(): Uint8Array {
    const size = this.word();
    const from = this.words.byteOffset + this.at * 4;
    this.at += Math.ceil(size / 4);
    return new Uint8Array(this.words.buffer.slice(from, from + size));
  }
}

/** An array's elements; none of anything else. */
export function listOf(reply: Reply): readonly Reply[] {
  return Array.isArray(reply) ? (reply as readonly Reply[]) : [];
}

export function textOf(reply: Reply): string | undefined {
  return reply instanceof Uint8Array ? Buffer.from(reply).toString() : undefined;
}
