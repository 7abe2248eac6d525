/** The example of docs and README: a network function of one's own, and its test. */
import {
  count,
  forward,
  lookupState,
  networkFunction,
  parse,
  record,
  table,
  transform,
  writeState,
} from 'rxnf';
import { runScript } from 'rxnf/testing';
import { it } from 'vitest';

/** Lets the first three packets of a flow pass. */
const flow = record('flow', 1, { packets: count });
const flows = table('flow', flow, { capacity: 1000, idleSeconds: 60 });

const taster = networkFunction(
  'taster',
  [flows],
  (lane) => (packets) =>
    packets.pipe(
      parse(),
      lookupState(flows, { key: 'flow' }),
      transform([flows], (packet) => {
        if (packet.flow.found) packet.flow.update();
        else packet.flow.create();
        packet.flow.packets += 1;
        return packet.flow.packets <= 3 ? forward(lane.port('out')) : undefined;
      }),
      writeState([flows]),
    ),
);

it('lets the first three packets of each flow pass', () => {
  runScript(
    taster,
    `
    port in
    port out
    in  (aaaab)  a: in 10.0.0.5:4242 > 198.51.100.7:53 udp "a"
    b: in 10.0.0.6:4242 > 198.51.100.7:53 udp "b"
    out (aaab)   a: out 10.0.0.5:4242 > 198.51.100.7:53 udp "a"
    b: out 10.0.0.6:4242 > 198.51.100.7:53 udp "b"
    drops unsettled=1
  `,
  );
});
