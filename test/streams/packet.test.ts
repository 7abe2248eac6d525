import { applyEdits, drop, forward, type Packet, type PacketBatch, trait, transform } from 'rxnf';
import { describe, expect, it } from 'vitest';
import { parseText } from '../../src/wire/text.ts';
import { bench, full, send, sent, udp } from '../operators/bench.ts';

/** What `look` finds at the one packet of a pipeline; its exceptions come through. */
function at<T>(text: string, look: (packet: Packet) => T): T {
  let result: { value: T } | { error: unknown } | undefined;
  using harness = bench(
    () => (packets) =>
      packets.pipe(
        transform((packet) => {
          try {
            result = { value: look(packet) };
          } catch (error) {
            result = { error };
          }
        }),
      ),
  );
  send(harness, text);
  if (!result) throw new Error('no packet came');
  if ('error' in result) throw result.error;
  return result.value;
}

const datagram = '10.0.0.1:7 > 198.51.100.7:53 ttl=9 udp "abcd"';

describe('a packet', () => {
  it('tells its endpoints, its headers and its bytes', () => {
    const told = at(datagram, (p) => ({
      flow: [p.source, p.sourcePort, p.destination, p.destinationPort, p.protocol],
      headers: [p.length, p.l3, p.l4, p.ttl, p.tcpFlags, p.ingress],
      bytes: [p.u8(45), p.u16(42), p.u32(42), ...p.bytes(42)],
    }));
    expect(told).toEqual({
      flow: [0x0a000001, 7, 0xc6336407, 53, 17],
      headers: [46, 14, 34, 9, 0, 0],
      bytes: [100, 0x6162, 0x61626364, 97, 98, 99, 100],
    });
    expect(at('10.0.0.1:7 > 10.0.0.2:80 tcp SA', (p) => p.tcpFlags)).toBe(0x12);
  });

  it.each([
    ['u8 behind', (p: Packet) => p.u8(46)],
    ['u16 across the end', (p: Packet) => p.u16(45)],
    ['u32 across the end', (p: Packet) => p.u32(43)],
    ['u8 before', (p: Packet) => p.u8(-1)],
    ['bytes behind', (p: Packet) => p.bytes(40, 7)],
  ])('is bounded: %s', (_, look: (packet: Packet) => unknown) => {
    expect(() => at(datagram, look)).toThrow(RangeError);
  });

  it.each([
    ['no offset', (p: Packet) => p.u8(Number.NaN)],
    ['bytes from behind', (p: Packet) => p.bytes(47)],
    ['fewer than no bytes', (p: Packet) => p.bytes(4, -2)],
  ])('is bounded: %s', (_, look: (packet: Packet) => unknown) => {
    expect(() => at(datagram, look)).toThrow(RangeError);
  });

  it('outlives no callback where the lane looks for that', () => {
    const kept: Packet[] = [];
    at(datagram, (packet) => kept.push(packet));
    const stale = expect.objectContaining({ code: 'ERR_STALE_PACKET' });
    expect(() => kept[0]?.u8(0)).toThrow(stale);
    expect(() => kept[0]?.bytes()).toThrow(stale);
  });

  it('makes others, sent as they are', () => {
    const made = parseText(udp(9));
    using harness = bench(
      () => (packets) =>
        packets.pipe(
          transform((packet) => {
            packet.originate(0, made);
            return drop('answered');
          }),
        ),
    );
    expect(send(harness, datagram)).toEqual([udp(9)]);
    expect(harness.finish()).toMatchObject({ originated: 1, forwarded: [1, 0] });
  });

  it('says so when there is no room for another', () => {
    const answers: boolean[] = [];
    using harness = bench(
      () => (packets) =>
        packets.pipe(
          transform((packet) => {
            for (let n = 0; n < 40; n++) answers.push(packet.originate(1, new Uint8Array(60)));
          }),
        ),
      { burst: 1 },
    );
    send(harness, datagram);
    expect(answers.filter((made) => made)).toHaveLength(32);
    expect(harness.finish()).toMatchObject({ originated: 32, forwarded: [0, 33] });
  });

  it('stages a next hop: link addresses, TTL less one, and the port', () => {
    using harness = bench(
      () => (packets) =>
        packets.pipe(
          transform((packet) => {
            packet.setNextHop(
              0,
              new Uint8Array([2, 0, 0, 0, 0, 9]),
              new Uint8Array([2, 0, 0, 0, 0, 8]),
            );
          }),
          applyEdits(),
        ),
    );
    const routed = datagram.replace('ttl=9', 'ttl=8 from=02:00:00:00:00:08 to=02:00:00:00:00:09');
    expect(send(harness, datagram)).toEqual([full(routed)]);
    expect(harness.finish().forwarded).toEqual([1, 0]);
  });

  it('completes the flow of a fragment that has no ports of its own', () => {
    const fragment = '10.0.0.1 > 198.51.100.7 proto=udp id=1 frag=16 hex="00112233"';
    expect(
      at(fragment, (p) => {
        const before = p.has(trait.hasFlow);
        p.completeFlow(1000, 2000);
        return [before, p.has(trait.hasFlow), p.sourcePort, p.destinationPort];
      }),
    ).toEqual([false, true, 1000, 2000]);
  });

  it('takes a verdict for any port there can be', () => {
    const verdicts: number[] = [];
    const batches: PacketBatch[] = [];
    using harness = bench(
      () => (packets) =>
        packets.pipe(
          transform((packet) => {
            verdicts.push(packet.verdict);
            batches.push(packet.batch);
            return forward(40);
          }),
        ),
    );
    send(harness, datagram, '10.0.0.1 > 10.0.0.2 icmp echo');
    expect(sent(harness)).toEqual([]);
    expect(verdicts).toEqual([0, 0]);
    harness.finish();
  });
});
