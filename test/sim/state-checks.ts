/** What must hold of the NAT's records on every node, whenever one looks. */
import type { StoreView } from './store-view.ts';
import { Violation } from './violation.ts';

/** Binding records, as src/nfs/nat/tables.ts lays them out. */
const bindingAt = { address: 0, port: 8, serial: 14 } as const;
const portAt = { address: 0, port: 4, serial: 6 } as const;

/**
 * Every binding has its port record, which names it; so no two have one port.
 */
export function checkRecords(functions: StoreView, where: string): void {
  const ports = functions.entries('port');
  for (const [key, { record }] of functions.entries('binding')) {
    const view = viewOf(record);
    const external = externalKey(key, view);
    const reserved = ports.get(external);
    const own = reserved && viewOf(reserved.record);
    const belongs =
      own &&
      own.getUint32(portAt.address) === addressIn(key) &&
      own.getUint16(portAt.port) === portIn(key) &&
      own.getUint16(portAt.serial, true) === view.getUint16(bindingAt.serial, true);
    if (belongs) continue;
    throw new Violation(
      10,
      `on ${where} the binding of inside port ${portIn(key)} leads to external port ${portIn(external)},` +
        ` which ${own ? `is inside port ${own.getUint16(portAt.port)}'s` : 'is not reserved'}`,
    );
  }
}

/** Every port record's number is out. */
export function checkNumbers(functions: StoreView, where: string): void {
  for (const key of functions.entries('port').keys()) {
    const { pool, number } = numberOf(key);
    if (functions.isOut(pool, number)) continue;
    throw new Violation(
      10,
      `on ${where} external port ${portIn(key)} is reserved, and its number is free to be leased`,
    );
  }
}

/** What the store keeps beside its records agrees with them, while no call is under way. */
export function checkCounts(view: StoreView): void {
  for (const table of ['binding', 'port', 'flow', 'fragment']) {
    const discord = view.discord(table);
    if (discord) throw new Violation(10, `of ${table}, ${discord}`);
  }
}

/** Nothing is left once all has expired: no record, no claim, no number. */
export function checkEmpty(functions: StoreView): void {
  for (const table of ['binding', 'port', 'fragment']) {
    const left = functions.entries(table).size + functions.claims(table).size;
    if (left > 0) throw new Violation(10, `${left} records or claims of ${table} never go away`);
  }
  for (const pool of functions.poolNames()) {
    const { free, out } = functions.numbers(pool);
    if (out.length > 0)
      throw new Violation(
        10,
        `${out.length} numbers of ${pool} never come back: ${out.join(', ')}`,
      );
    if (new Set(free).size !== free.length)
      throw new Violation(10, `${pool} has a number twice: ${free.join(', ')}`);
  }
}

const firstPort = 2000;

/** The pool of an external port and its number there, as src/nfs/nat/port-allocator.ts has it. */
function numberOf(key: string): { readonly pool: string; readonly number: number } {
  const protocol = key.charCodeAt(6);
  const port = portIn(key);
  const udp = protocol === 17;
  const parity = udp ? port & 1 : 0;
  const number = udp ? (port - firstPort - parity) / 2 : port - firstPort;
  return { pool: `ports/${protocol}/${addressIn(key)}/0/${parity}`, number };
}

function externalKey(key: string, binding: DataView): string {
  const bytes = Array.from({ length: 4 }, (_, i) => binding.getUint8(bindingAt.address + i));
  const port = [binding.getUint8(bindingAt.port), binding.getUint8(bindingAt.port + 1)];
  return String.fromCharCode(...bytes, ...port) + key.slice(6);
}

function addressIn(key: string): number {
  return [0, 1, 2, 3].reduce((address, i) => address * 256 + key.charCodeAt(i), 0);
}

function portIn(key: string): number {
  return key.charCodeAt(4) * 256 + key.charCodeAt(5);
}

function viewOf(record: Uint8Array): DataView {
  return new DataView(record.buffer, record.byteOffset, record.length);
}
