import { dropRows, forwardTo, trait, where } from 'rxnf';
import { describe, expect, it } from 'vitest';
import { bench, full, send, udp } from './bench.ts';

describe('forwardTo', () => {
  it.each([['in'], [0]])('sends the packets of its mask out of port %s, untouched', (port) => {
    using harness = bench(
      () => (packets) => packets.pipe(forwardTo(port, where({ all: [trait.udp] }))),
    );
    const segment = full('10.0.0.1:1 > 10.0.0.2:2 tcp S');
    expect(send(harness, udp(1), segment)).toEqual([udp(1), segment]);
    expect(harness.finish().forwarded).toEqual([1, 1]);
  });

  it('leaves alone what has its verdict', () => {
    using harness = bench(
      () => (packets) =>
        packets.pipe(dropRows([{ where: where({}), reason: 'all' }]), forwardTo('in')),
    );
    expect(send(harness, udp(1))).toEqual([]);
    expect(harness.finish().dropped['all']).toBe(1);
  });

  it.each([
    ['nowhere', /no port is named nowhere; there are in, out/],
    [7, /there is no port 7: this lane has 2/],
  ])('says that there is no port %s', async (port, message) => {
    const crash = new Promise((resolve) => process.once('uncaughtException', resolve));
    const listeners = process.listeners('uncaughtException').slice(0, -1);
    for (const listener of listeners) process.off('uncaughtException', listener);
    using harness = bench(() => (packets) => packets.pipe(forwardTo(port)));
    send(harness, udp(1));
    expect(String(await crash)).toMatch(message);
    for (const listener of listeners) process.on('uncaughtException', listener);
  });
});
