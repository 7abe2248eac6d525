/** Port records whose binding never came, or went with whoever was to release them. */
import { memoryStore, nat } from 'rxnf';
import { Harness } from 'rxnf/testing';
import { describe, expect, it } from 'vitest';
import { tableSessionOf } from '../../../src/state/sessions.ts';
import type { TableSession } from '../../../src/state/store.ts';
import type { AnyTable } from '../../../src/state/table.ts';
import { dissect, type Frame } from '../../../src/wire/frame.ts';
import { parseText } from '../../../src/wire/text.ts';
import { network } from './network.ts';

const minute = 60_000;

function running(ports: { first: number; last: number }) {
  const nf = nat({ ...network, ports, timeouts: { udp: 7200 } });
  const harness = new Harness(nf, {
    ports: ['inside', 'outside'],
    store: memoryStore({ seed: 1 }),
  });
  const tableOf = (name: string) => nf.tables.find((t) => t.name === name) as AnyTable;
  const session = tableSessionOf(harness.lane, tableOf('port')) as TableSession;
  return {
    harness,
    send(inside: string) {
      const to = `to=${harness.macOf('inside')}`;
      harness.send('inside', parseText(`${inside} > 198.51.100.7:53 ${to} udp "x"`));
      harness.advance(20);
      return harness.received('outside').map((frame) => (dissect(frame) as Frame).udp?.source);
    },
    /** As if the NAT had died before it published. */
    unpublish(address: number[], port: number) {
      const key = new Uint8Array(16);
      key.set([...address, port >> 8, port & 255, 17]);
      expect(session.remove(tableOf('binding'), key)).toBe(true);
    },
    count: () => session.size(tableOf('port')),
  };
}

describe('a reserved port whose binding is missing', () => {
  it('is free again once no write can still be under way', () => {
    const { harness, send, unpublish, count } = running({ first: 5000, last: 5000 });
    using _ = harness;
    expect(send('10.0.0.5:2000')).toEqual([5000]);
    unpublish([10, 0, 0, 5], 2000);
    harness.advance(9 * minute);
    expect(count()).toBe(1);
    expect(send('10.0.0.6:2000')).toEqual([]);
    harness.advance(16 * minute);
    expect(count()).toBe(0);
    expect(send('10.0.0.6:2000')).toEqual([5000]);
    harness.finish();
  });

  it('is found among those that are in use, which stay', () => {
    const { harness, send, unpublish, count } = running({ first: 5000, last: 5099 });
    using _ = harness;
    const used = new Map<number, unknown>();
    for (let n = 0; n < 20; n++) used.set(n, send(`10.0.0.5:${2000 + 2 * n}`)[0]);
    for (const n of [3, 7]) unpublish([10, 0, 0, 5], 2000 + 2 * n);
    harness.advance(25 * minute);
    expect(count()).toBe(18);
    for (let n = 0; n < 20; n++) {
      if (n !== 3 && n !== 7) expect(send(`10.0.0.5:${2000 + 2 * n}`)).toEqual([used.get(n)]);
    }
    harness.finish();
  });

  it('is not taken for one when its binding comes back for another port', () => {
    const { harness, send, unpublish, count } = running({ first: 5000, last: 5003 });
    using _ = harness;
    const [first] = send('10.0.0.5:2000');
    unpublish([10, 0, 0, 5], 2000);
    const [second] = send('10.0.0.5:2000');
    expect(second).not.toBe(first);
    harness.advance(25 * minute);
    expect(count()).toBe(1);
    expect(send('10.0.0.5:2000')).toEqual([second]);
    harness.finish();
  });
});
