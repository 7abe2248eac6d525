/**
 * Records: what tables hold. Declared once; the declaration gives offsets, size and a typed cursor.
 *
 * Layout: fields in the order of declaration, each on its natural alignment, the whole rounded up to
 * a multiple of 8 bytes. Numbers are little-endian, except that `ipv4` and `port` lie in network byte
 * order, as in packets, so that native kernels copy them without a swap.
 */

/** How one field is read and written at a byte offset of a view. */
export interface FieldType<T, Kind extends string = string> {
  readonly kind: Kind;
  readonly size: number;
  readonly align: number;
  get(view: DataView, at: number): T;
  set(view: DataView, at: number, value: T): void;
}

const numeric = <Kind extends string>(
  kind: Kind,
  size: number,
  get: (view: DataView, at: number) => number,
  set: (view: DataView, at: number, value: number) => void,
): FieldType<number, Kind> => ({ kind, size, align: size, get, set });

export const u8 = numeric(
  'u8',
  1,
  (v, at) => v.getUint8(at),
  (v, at, x) => v.setUint8(at, x),
);
export const u16 = numeric(
  'u16',
  2,
  (v, at) => v.getUint16(at, true),
  (v, at, x) => v.setUint16(at, x, true),
);
export const u32 = numeric(
  'u32',
  4,
  (v, at) => v.getUint32(at, true),
  (v, at, x) => v.setUint32(at, x, true),
);
/** A whole number below 2^53, kept as a double. */
export const count = numeric(
  'count',
  8,
  (v, at) => v.getFloat64(at, true),
  (v, at, x) => v.setFloat64(at, x, true),
);
/** An IPv4 address, a number in host order. */
export const ipv4 = numeric(
  'ipv4',
  4,
  (v, at) => v.getUint32(at),
  (v, at, x) => v.setUint32(at, x),
);
/** A TCP or UDP port, or an ICMP query identifier. */
export const port = numeric(
  'port',
  2,
  (v, at) => v.getUint16(at),
  (v, at, x) => v.setUint16(at, x),
);

/** Bytes of a fixed length; reading gives a view into the batch, valid in the callback only. */
export function bytes(length: number): FieldType<Uint8Array> {
  return {
    kind: `bytes(${length})`,
    size: length,
    align: 1,
    get: (view, at) => new Uint8Array(view.buffer, view.byteOffset + at, length),
    set: (view, at, value) => {
      if (value.length > length)
        throw new RangeError(`${value.length} bytes for a field of ${length}`);
      const target = new Uint8Array(view.buffer, view.byteOffset + at, length);
      target.fill(0);
      target.set(value);
    },
  };
}

export type Fields = Readonly<Record<string, FieldType<never>>>;
/** Names of the fields of one kind: `FieldsOfKind<F, 'ipv4'>`. */
export type FieldsOfKind<F, Kind extends string> = {
  [Name in keyof F & string]: F[Name] extends { readonly kind: infer K }
    ? K extends Kind
      ? Name
      : never
    : never;
}[keyof F & string];
type Value<F> = F extends FieldType<infer T> ? T : never;
/** The plain values of a record. */
export type Values<F> = { -readonly [K in keyof F]: Value<F[K]> };

export interface RecordSchema<F = object> {
  readonly name: string;
  readonly version: number;
  readonly size: number;
  readonly fields: F;
  readonly offsets: Readonly<Record<keyof F & string, number>>;
}

const maxRecordBytes = 1024;

/**
 * Declares a record.
 *
 * @example
 * const binding = record('binding', 1, { address: ipv4, port, packets: u32 });
 *
 * @param version of the schema; fields are only ever appended
 * @throws {RangeError} a record of more than 1024 bytes, or a field named like a method of the cursor
 */
// biome-ignore lint/suspicious/noExplicitAny: a field type is invariant in its value
export function record<F extends Record<string, FieldType<any>>>(
  name: string,
  version: number,
  fields: F,
): RecordSchema<F> {
  const offsets: Record<string, number> = {};
  let at = 0;
  for (const [field, type] of Object.entries(fields)) {
    if (reserved.has(field))
      throw new RangeError(`record ${name}: a field cannot be named ${field}`);
    at = Math.ceil(at / type.align) * type.align;
    offsets[field] = at;
    at += type.size;
  }
  const size = Math.ceil(at / 8) * 8;
  if (size === 0 || size > maxRecordBytes) {
    throw new RangeError(`record ${name}: ${size} bytes; 1 to ${maxRecordBytes} are allowed`);
  }
  return { name, version, size, fields, offsets: offsets as Record<keyof F & string, number> };
}

/** Members of the cursor in src/state/cursor.ts. */
const reserved = new Set([
  'attended',
  'constructor',
  'create',
  'found',
  'key',
  'place',
  'remove',
  'reserve',
  'size',
  'timer',
  'update',
  'watched',
]);
