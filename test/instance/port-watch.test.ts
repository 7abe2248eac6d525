import { describe, expect, it } from 'vitest';
import { PortWatch } from '../../src/instance/port-watch.ts';
import { addPorts } from '../../src/instance/summary.ts';
import type { PortCounters } from '../../src/native.ts';

const quiet = addPorts([]);
const up: PortCounters = { ...quiet, linkUp: true };

describe('the watch over a port', () => {
  it('says nothing of a port that is as it was', () => {
    const watch = new PortWatch('inside', true);
    expect(watch.look(up, 0)).toEqual([]);
    expect(watch.look({ ...up, receivedPackets: 1e6 }, 1000)).toEqual([]);
  });

  it('tells each change of the link once', () => {
    const watch = new PortWatch('inside', true);
    const down = { ...up, linkUp: false };
    expect(watch.look(down, 0)).toEqual([{ event: 'link-down', port: 'inside' }]);
    expect(watch.look(down, 1)).toEqual([]);
    expect(watch.look(up, 2)).toEqual([{ event: 'link-up', port: 'inside' }]);
    expect(watch.look(up, 3)).toEqual([]);
  });

  it('tells each time that a device was set up anew', () => {
    const watch = new PortWatch('inside', true);
    const down = { ...up, linkUp: false };
    expect(watch.look(down, 0)).toHaveLength(1);
    expect(watch.look({ ...up, resets: 1 }, 1)).toEqual([
      { event: 'link-up', port: 'inside' },
      { event: 'reset', port: 'inside' },
    ]);
    expect(watch.look({ ...up, resets: 1 }, 2)).toEqual([]);
    expect(watch.look({ ...up, resets: 2 }, 3)).toHaveLength(1);
  });

  it('tells once that a device is gone, and nothing about it from then on', () => {
    const watch = new PortWatch('inside', true);
    const gone = { ...up, gone: true, linkUp: false };
    expect(watch.look(gone, 0)).toMatchObject([{ event: 'gone', port: 'inside' }]);
    expect(watch.look({ ...gone, missed: 5 }, 1)).toEqual([]);
  });

  it.each([
    ['missed', 'missed'],
    ['noBuffer', 'no-buffer'],
    ['receiveErrors', 'receive-errors'],
    ['transmitErrors', 'transmit-errors'],
    ['multiSegment', 'multi-segment'],
  ] as const)('tells that %s grows, with its mend, at most every ten seconds', (counter, event) => {
    const watch = new PortWatch('inside', true);
    const told = watch.look({ ...up, [counter]: 3 }, 0);
    expect(told).toEqual([{ event, port: 'inside', packets: 3, mend: expect.any(String) }]);
    expect(watch.look({ ...up, [counter]: 3 }, 20_000), 'not growing').toEqual([]);
    expect(watch.look({ ...up, [counter]: 4 }, 21_000)).toMatchObject([{ packets: 4 }]);
    expect(watch.look({ ...up, [counter]: 9 }, 30_999), 'too soon').toEqual([]);
    expect(watch.look({ ...up, [counter]: 9 }, 31_000)).toMatchObject([{ packets: 9 }]);
  });
});

describe('a port over several queues', () => {
  it('adds their packets, is up while all are, and gone or dry together', () => {
    const one = { ...up, receivedPackets: 3, exhausted: true };
    const other = { ...up, receivedPackets: 4, linkUp: false, gone: true };
    expect(addPorts([one, other])).toMatchObject({
      receivedPackets: 7,
      linkUp: false,
      gone: true,
      exhausted: false,
    });
    expect(addPorts([one, one])).toMatchObject({ linkUp: true, exhausted: true });
  });
});
