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

/**
 * Bytes of a length that varies, up to a bound; reading gives a view into the batch, valid in the
 * callback only. Takes four bytes more than the bound.
 */
export function bytesUpTo(bound: number): FieldType<Uint8Array> {
  return {
    kind: `bytesUpTo(${bound})`,
    size: 4 + bound,
    align: 4,
    get: (view, at) => {
      const length = Math.min(view.getUint32(at, true), bound);
      return new Uint8Array(view.buffer, view.byteOffset + at + 4, length);
    },
    set: (view, at, value) => {
      if (value.length > bound)
        throw new RangeError(`${value.length} bytes for a field of up to ${bound}`);
      const target = new Uint8Array(view.buffer, view.byteOffset + at + 4, bound);
      target.set(value);
      target.fill(0, value.length);
      view.setUint32(at, value.length, true);
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

/** Every batch has room for a record of each row twice: large ones want few rows (docs of `table`). */
const maxRecordBytes = 64 * 1024;

/**
 * Declares a record.
 *
 * @example
 * const binding = record('binding', 1, { address: ipv4, port, packets: u32 });
 *
 * @param version of the schema; fields are only ever appended
 * @throws {RangeError} a record of more than 64 KiB, or a field named like a method of the cursor
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

/** Where the fields of type `count` lie. */
export function countOffsets({ fields, offsets }: RecordSchema): Uint32Array {
  const at = offsets as Readonly<Record<string, number>>;
  const counts = Object.entries(fields as Record<string, FieldType<unknown>>).filter(
    ([, type]) => type.kind === count.kind,
  );
  return new Uint32Array(counts.map(([name]) => at[name] as number));
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
