/** Stored records as a person reads them, by the schema that lies beside them: no declaration is at hand. */
import type { StoredSchema } from './stored-schema.ts';

export type FieldValues = Readonly<Record<string, number | string>>;

/** The fields of a record of {@link recordSize} bytes that begins at a byte of `view`. */
export function readFields({ fields }: StoredSchema, view: DataView, record: number): FieldValues {
  return Object.fromEntries(
    fields.map(([name, layout]) => [name, fieldText(view, record, layout)]),
  );
}

export function recordSize({ fields }: StoredSchema): number {
  const ends = fields.map(([, layout]) => {
    const [kind = '', offset = '0'] = layout.split('@');
    const size = sizes[kind] ?? boundOf(kind) + (kind.startsWith('bytesUpTo') ? 4 : 0);
    return Number(offset) + size;
  });
  return Math.ceil(Math.max(...ends) / 8) * 8;
}

/** A line that is not of a dump, or does not fit the store. */
export class RestoreError extends Error {
  readonly code = 'ERR_STORE_RESTORE';
  readonly line: number;

  constructor(line: number, message: string) {
    super(`line ${line}: ${message}`);
    this.name = 'RestoreError';
    this.line = line;
  }
}

/** A field's value by its layout, `kind@offset` (stored-schema.ts). */
function fieldText(view: DataView, record: number, layout: string): number | string {
  const [kind = '', offset = '0'] = layout.split('@');
  const at = record + Number(offset);
  const bytes = (from: number, length: number) =>
    Buffer.from(view.buffer, view.byteOffset + from, length).toString('hex');
  switch (kind) {
    case 'u8':
      return view.getUint8(at);
    case 'u16':
      return view.getUint16(at, true);
    case 'u32':
      return view.getUint32(at, true);
    case 'count':
      return view.getFloat64(at, true);
    case 'port':
      return view.getUint16(at);
    case 'ipv4':
      return [0, 1, 2, 3].map((i) => view.getUint8(at + i)).join('.');
    default: {
      const length = boundOf(kind);
      return kind.startsWith('bytesUpTo')
        ? bytes(at + 4, Math.min(view.getUint32(at, true), length))
        : bytes(at, length);
    }
  }
}

const sizes: Readonly<Record<string, number>> = {
  u8: 1,
  u16: 2,
  u32: 4,
  count: 8,
  port: 2,
  ipv4: 4,
};

/** `n` of `bytes(n)` and `bytesUpTo(n)`. */
const boundOf = (kind: string) => Number(/\((\d+)\)/.exec(kind)?.[1] ?? 0);
