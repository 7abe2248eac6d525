import { AssertionError } from 'node:assert';
import { dropWhen, type Packet, type Pipeline, trait, where } from 'rxnf';
import { describe, expect, it } from 'vitest';
import { bench, send, udp } from './bench.ts';

const shortLived: Pipeline = (packets) =>
  packets.pipe(dropWhen((packet) => packet.ttl < 10, 'short-lived'));

describe('dropWhen', () => {
  it('drops what its predicate says under its reason, and nothing else', () => {
    using harness = bench(() => shortLived);
    const young = udp(1);
    const old = '10.0.0.2:1000 > 198.51.100.7:53 ttl=9 udp';
    expect(send(harness, young, old, young)).toEqual([young, young]);
    expect(harness.finish().dropped['short-lived']).toBe(1);
  });

  it('has its counter at zero before the first packet', () => {
    dropWhen(() => true, 'never-used-yet');
    using harness = bench(() => shortLived);
    expect(harness.statistics().dropped).toMatchObject({ 'never-used-yet': 0 });
  });

  it('asks about the packets of its mask only, and never about settled ones', () => {
    const asked: number[] = [];
    using harness = bench(
      () => (packets) =>
        packets.pipe(
          dropWhen((packet) => packet.sourcePort === 1, 'first'),
          dropWhen(
            (packet) => {
              asked.push(packet.sourcePort);
              return false;
            },
            'second',
            where({ all: [trait.udp] }),
          ),
        ),
    );
    send(
      harness,
      '10.0.0.1:1 > 10.0.0.2:1 udp ""',
      '10.0.0.1:2 > 10.0.0.2:1 udp ""',
      '10.0.0.1:3 > 10.0.0.2:1 tcp S',
    );
    expect(asked).toEqual([2]);
    harness.finish();
  });

  it('counts a throw against that packet alone, and the pipe lives', () => {
    using harness = bench(
      () => (packets) => packets.pipe(dropWhen((packet) => packet.u8(packet.length) > 0, 'never')),
    );
    expect(send(harness, udp(1), udp(2))).toEqual([]);
    expect(harness.events.map(({ event }) => event)).toEqual(['callback-error']);
    expect(harness.finish({ allowCallbackErrors: true }).dropped).toMatchObject({
      'callback-error': 2,
      never: 0,
    });
  });

  it('lets no assertion pass for a bad packet', async () => {
    const crash = new Promise((resolve) => process.once('uncaughtException', resolve));
    const listeners = process.listeners('uncaughtException').slice(0, -1);
    for (const listener of listeners) process.off('uncaughtException', listener);
    using harness = bench(
      () => (packets) =>
        packets.pipe(
          dropWhen(() => {
            throw new AssertionError({ message: 'a bug' });
          }, 'never'),
        ),
    );
    send(harness, udp(1));
    expect(String(await crash)).toContain('a bug');
    for (const listener of listeners) process.on('uncaughtException', listener);
    expect(harness.statistics().dropped['callback-error']).toBe(0);
  });

  it('catches a packet that is kept past its callback', () => {
    let kept: Packet | undefined;
    using harness = bench(
      () => (packets) =>
        packets.pipe(
          dropWhen((packet) => {
            kept = packet;
            return false;
          }, 'never'),
        ),
    );
    send(harness, udp(1));
    expect(() => kept?.u8(0)).toThrow(expect.objectContaining({ code: 'ERR_STALE_PACKET' }));
    harness.finish();
  });
});
