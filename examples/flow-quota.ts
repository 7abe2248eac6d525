/** A network function of one's own: each flow may send so many packets, counted in the store. */
import {
  count,
  drop,
  forward,
  lookupState,
  networkFunction,
  parse,
  record,
  table,
  transform,
  writeState,
} from 'rxnf';

const quota = 3;
const overQuota = drop('over-quota');
const flows = table('flow', record('flow', 1, { packets: count }), {
  capacity: 100_000,
  idleSeconds: 60,
});

export const flowQuota = networkFunction('flow-quota', [flows], (lane) => {
  const out = forward(lane.port('out'));
  return (packets) =>
    packets.pipe(
      parse(),
      lookupState(flows, { key: 'flow' }),
      transform([flows], ({ flow }) => {
        if (flow.found) flow.update();
        else flow.create();
        flow.packets += 1;
        return flow.packets <= quota ? out : overQuota;
      }),
      writeState([flows]),
    );
});
