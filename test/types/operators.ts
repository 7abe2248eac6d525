/**
 * What compiles and what does not: checked by `tsc`, never run. Each `@ts-expect-error` fails the
 * check once its line compiles.
 */

import type { Observable } from 'rxjs';
import {
  alias,
  branch,
  bytes,
  count,
  countPackets,
  drop,
  dropWhen,
  forwardTo,
  ipv4,
  lookupState,
  neighbourTable,
  networkFunction,
  observe,
  type Packet,
  type PacketBatch,
  parse,
  port,
  record,
  reserveState,
  route,
  samplePackets,
  table,
  trait,
  transform,
  translate,
  u16,
  u32,
  where,
  writeState,
} from 'rxnf';

const binding = record('binding', 1, {
  address: ipv4,
  port,
  packets: u32,
  name: bytes(4),
  since: count,
});
const session = record('session', 1, { state: u16 });
const bindings = table('binding', binding, { capacity: 10 });
const sessions = table('session', session, { capacity: 10 });
const reserved = alias(bindings, 'reserved');
const neighbours = neighbourTable('neighbour', 10, 60);
const unknown = drop('unknown');

declare const packets: Observable<PacketBatch>;
declare function use(value: unknown): void;
declare function number(value: number): void;

/** The whole of a network function, as an author writes it: no annotation, no assertion. */
export const accepted = networkFunction(
  'accepted',
  [bindings, sessions, reserved, neighbours],
  () => (stream) =>
    stream
      .pipe(
        parse(),
        lookupState(bindings, { key: 'source-endpoint', attend: 'misses' }),
        lookupState(sessions, { key: 'flow', where: where({ all: [trait.tcp] }) }),
        reserveState(reserved),
        dropWhen((packet) => packet.binding.found && packet.session.state === 3, 'closed'),
        transform([bindings, sessions, reserved], (packet) => {
          if (!packet.binding.found) return unknown;
          packet.session.create();
          packet.session.state = packet.binding.port;
          packet.reserved.create(1, true);
          packet.reserved.address = packet.source;
          packet.binding.name = new Uint8Array(4);
          packet.setSource(packet.binding.address, packet.binding.port);
          return undefined;
        }),
        writeState([reserved, bindings, sessions]),
      )
      .pipe(
        translate(bindings, { side: 'source', address: 'address', port: 'port' }),
        branch({
          web: {
            when: (packet) => packet.binding.packets > 3,
            pipe: (arm) =>
              arm.pipe(
                transform([bindings], (packet) => {
                  packet.binding.update();
                  packet.binding.packets++;
                }),
                writeState([bindings]),
              ),
          },
          otherwise: {
            pipe: (arm) => arm.pipe(dropWhen((packet) => !packet.session.found, 'new')),
          },
        }),
        route({ routes: [{ address: 0, length: 0, port: 'out' }], neighbours }),
        observe((batch) => number(batch.packets)),
        samplePackets(100, (packet) => number(packet.length)),
        countPackets('passed'),
        forwardTo('out'),
      ),
);

/** RxJS alone types nine operators; the fields of a table stay known behind as many as sixteen. */
export const long: Observable<PacketBatch> = packets.pipe(
  parse(),
  lookupState(bindings, { key: 'source-endpoint', attend: 'misses' }),
  lookupState(sessions, { key: 'flow' }),
  reserveState(reserved),
  dropWhen((packet) => packet.session.state === 1, 'one'),
  dropWhen((packet) => packet.session.state === 2, 'two'),
  dropWhen((packet) => packet.session.state === 3, 'three'),
  dropWhen((packet) => packet.session.state === 4, 'four'),
  dropWhen((packet) => packet.session.state === 5, 'five'),
  dropWhen((packet) => packet.binding.packets > 6, 'six'),
  dropWhen((packet) => packet.binding.packets > 7, 'seven'),
  transform([bindings, sessions], (packet) => {
    packet.session.state = packet.binding.port;
  }),
  writeState([bindings, sessions]),
  observe((batch) => number(batch.packets)),
  countPackets('passed'),
  forwardTo('out'),
);

packets.pipe(
  parse(),
  lookupState(bindings, { key: 'source-endpoint' }),
  countPackets('3'),
  countPackets('4'),
  countPackets('5'),
  countPackets('6'),
  countPackets('7'),
  countPackets('8'),
  countPackets('9'),
  // @ts-expect-error sessions were never looked up, as the tenth operator knows too
  dropWhen((packet) => packet.session.found, 'ten'),
);

/** Functions written apart from their pipeline. */
export function apart(packet: Packet & { binding: { found: boolean; packets: number } }): void {
  use(packet.binding.packets);
}
packets.pipe(lookupState(bindings, { key: 'flow' }), transform([bindings], apart));

// A field of a table that was not looked up.
packets.pipe(
  lookupState(bindings, { key: 'flow' }),
  // @ts-expect-error
  transform([bindings], (packet) => use(packet.session)),
);
packets.pipe(
  lookupState(bindings, { key: 'flow' }),
  // @ts-expect-error
  transform((packet) => use(packet.session)),
);
packets.pipe(
  lookupState(bindings, { key: 'flow' }),
  // @ts-expect-error
  dropWhen((packet) => packet.session.found, 'x'),
);

// A transform, a write, a translation of a table that was never looked up.
packets.pipe(
  lookupState(bindings, { key: 'flow' }),
  // @ts-expect-error
  transform([sessions], () => undefined),
);
packets.pipe(
  lookupState(bindings, { key: 'flow' }),
  // @ts-expect-error
  writeState([sessions]),
);
packets.pipe(
  lookupState(bindings, { key: 'flow' }),
  // @ts-expect-error
  writeState([bindings, sessions]),
);
packets.pipe(
  lookupState(sessions, { key: 'flow' }),
  // @ts-expect-error
  translate(bindings, { side: 'source', address: 'address', port: 'port' }),
);
packets.pipe(
  parse(),
  // @ts-expect-error
  writeState([bindings]),
);

// A misspelled field, a field of the wrong type, a field that is only read.
packets.pipe(
  lookupState(bindings, { key: 'flow' }),
  // @ts-expect-error
  transform([bindings], (packet) => use(packet.binding.adress)),
);
packets.pipe(
  lookupState(bindings, { key: 'flow' }),
  transform([bindings], (packet) => {
    // @ts-expect-error
    packet.binding.port = '80';
    // @ts-expect-error
    packet.binding.name = 4;
    // @ts-expect-error
    packet.binding.found = true;
    // @ts-expect-error
    packet.binding = { ...packet.binding };
  }),
);

// Fields of the wrong kind, or of none.
// @ts-expect-error
translate(bindings, { side: 'source', address: 'port', port: 'port' });
// @ts-expect-error
translate(bindings, { side: 'source', address: 'packets', port: 'port' });
// @ts-expect-error
translate(bindings, { side: 'source', address: 'address', port: 'packets' });
// @ts-expect-error
translate(bindings, { side: 'source', address: 'adress', port: 'port' });
// @ts-expect-error
translate(bindings, { side: 'inside', address: 'address', port: 'port' });

// An arm's pipeline knows what was looked up before the branch, and no more; behind it nothing of an arm's.
packets.pipe(
  lookupState(bindings, { key: 'flow' }),
  branch({
    arm: {
      // @ts-expect-error
      pipe: (arm) => arm.pipe(writeState([sessions])),
    },
  }),
);
packets.pipe(
  branch({ arm: { pipe: (arm) => arm.pipe(lookupState(bindings, { key: 'flow' })) } }),
  // @ts-expect-error
  writeState([bindings]),
);

// Verdicts come from `forward` and `drop`, or not at all.
// @ts-expect-error
transform(() => 1);
// @ts-expect-error
transform(() => 'drop');

// Looking changes nothing.
// @ts-expect-error
samplePackets(1, (packet) => packet.setSource(1, 2));
// @ts-expect-error
samplePackets(1, (packet) => packet.originate(0, new Uint8Array(60)));
observe((batch) => {
  // @ts-expect-error
  batch.packets = 0;
});

// Keys that there are, masks that `where` makes, a table's own options.
// @ts-expect-error
lookupState(bindings, { key: 'source' });
// @ts-expect-error
dropWhen(() => true, 'x', trait.tcp);
// @ts-expect-error
table('binding', binding, {});
// @ts-expect-error
route({ routes: [], neighbours: bindings });
