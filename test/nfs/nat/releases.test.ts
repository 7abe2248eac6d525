/** Bindings of a release that left the state of all but TCP `opening`. */
import { memoryStore, nat } from 'rxnf';
import { Harness } from 'rxnf/testing';
import { describe, expect, it } from 'vitest';
import { bindingRecord, tcpState, timers } from '../../../src/nfs/nat/tables.ts';
import { tableSessionOf } from '../../../src/state/sessions.ts';
import type { TableSession } from '../../../src/state/store.ts';
import type { Table } from '../../../src/state/table.ts';
import { dissect, type Frame } from '../../../src/wire/frame.ts';
import { parseText } from '../../../src/wire/text.ts';
import { network } from './network.ts';

const key = Uint8Array.from([10, 0, 0, 5, 2000 >> 8, 2000 & 255, 17, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
const stateAt = bindingRecord.offsets.state;

describe.each(['kernels', 'callback'] as const)('translated by %s', (translation) => {
  it('a UDP binding whose state is opening goes on as it is', () => {
    const nf = nat({ ...network, translation });
    const store = memoryStore({ seed: 1 });
    using harness = new Harness(nf, { ports: ['inside', 'outside'], store });
    const bindings = nf.tables.find((t) => t.name === 'binding') as Table;
    const session = tableSessionOf(harness.lane, bindings) as TableSession;
    const stored = () => {
      const { buffer, byteOffset } = session.read(bindings, key) as DataView;
      return new Uint8Array(buffer, byteOffset, bindingRecord.size).slice();
    };
    const send = () => {
      const to = `to=${harness.macOf('inside')}`;
      harness.send('inside', parseText(`10.0.0.5:2000 > 198.51.100.7:53 ${to} udp "x"`));
      harness.advance(20);
      return harness.received('outside').map((frame) => (dissect(frame) as Frame).udp?.source);
    };
    const ports = send();
    expect(ports).toHaveLength(1);
    const record = stored();
    expect(record[stateAt]).toBe(tcpState.established);
    record[stateAt] = tcpState.opening;
    expect(session.put(bindings, key, record, timers.udp)).toBe(true);
    expect(send()).toEqual(ports);
    expect(send()).toEqual(ports);
    expect(stored()).toEqual(record);
    harness.finish();
  });
});
