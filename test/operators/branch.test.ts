import fc from 'fast-check';
import { map } from 'rxjs';
import {
  branch,
  dropRows,
  dropWhen,
  forwardTo,
  type PacketBatch,
  type Pipeline,
  samplePackets,
  synchronousOperator,
  trait,
  transform,
  where,
} from 'rxnf';
import { describe, expect, it } from 'vitest';
import { parseText } from '../../src/wire/text.ts';
import { bench, full, send, sent, slow, udp } from './bench.ts';

const tcp = full('10.0.0.1:1 > 10.0.0.2:2 tcp S');
const ping = full('10.0.0.1 > 10.0.0.2 icmp echo');
const dropAll = (reason: string): Pipeline => dropRows([{ where: where({}), reason }]);

/** Notes the source address of every pending packet that passes. */
function note(list: string[], name: string): Pipeline {
  return samplePackets(1, (packet) => list.push(`${name} ${packet.protocol}`));
}

describe('branch', () => {
  it('shows each arm its own packets, the first arm that matches taking them', () => {
    const seen: string[] = [];
    using harness = bench(
      () => (packets) =>
        packets.pipe(
          branch({
            datagrams: { where: where({ all: [trait.udp] }), pipe: note(seen, 'datagrams') },
            ip: {
              when: (packet) => packet.protocol !== 6,
              pipe: (arm) => arm.pipe(note(seen, 'ip')),
            },
            otherwise: { pipe: note(seen, 'otherwise') },
          }),
          note(seen, 'rejoined'),
        ),
    );
    expect(send(harness, tcp, udp(1), ping, udp(2))).toEqual([tcp, udp(1), ping, udp(2)]);
    expect(seen).toEqual([
      'datagrams 17',
      'datagrams 17',
      'ip 1',
      'otherwise 6',
      'rejoined 6',
      'rejoined 17',
      'rejoined 1',
      'rejoined 17',
    ]);
    harness.finish();
  });

  it('keeps the verdicts of an arm, and what no arm takes goes on', () => {
    using harness = bench(
      () => (packets) =>
        packets.pipe(
          branch({
            out: { where: where({ all: [trait.udp] }), pipe: forwardTo('in') },
            away: { where: where({ all: [trait.tcp] }), pipe: dropAll('away') },
          }),
        ),
    );
    send(harness, udp(1), tcp, ping);
    const { forwarded, dropped } = harness.finish();
    expect(forwarded).toEqual([1, 1]);
    expect(dropped['away']).toBe(1);
  });

  it('puts `otherwise` last wherever it is written', () => {
    const seen: string[] = [];
    using harness = bench(
      () => (packets) =>
        packets.pipe(
          branch({
            otherwise: { pipe: note(seen, 'otherwise') },
            datagrams: { where: where({ all: [trait.udp] }), pipe: note(seen, 'datagrams') },
          }),
        ),
    );
    send(harness, udp(1));
    expect(seen).toEqual(['datagrams 17']);
  });

  it('nests', () => {
    const seen: string[] = [];
    using harness = bench(
      () => (packets) =>
        packets.pipe(
          branch({
            ip: {
              where: where({ none: [trait.icmpQuery] }),
              pipe: (arm) =>
                arm.pipe(
                  branch({
                    tcp: { where: where({ all: [trait.tcp] }), pipe: note(seen, 'tcp') },
                  }),
                  note(seen, 'rest'),
                ),
            },
            otherwise: { pipe: note(seen, 'ping') },
          }),
        ),
    );
    expect(send(harness, ping, tcp, udp(1))).toHaveLength(3);
    expect(seen).toEqual(['tcp 6', 'rest 6', 'rest 17', 'ping 1']);
    harness.finish();
  });

  it('leaves packets made in an arm to that arm and to what follows the branch', () => {
    const seen: string[] = [];
    const make: Pipeline = synchronousOperator('make', (lane) => (batch) => {
      lane.originate(batch, 0, 60);
    });
    using harness = bench(
      () => (packets) =>
        packets.pipe(
          branch({
            first: { where: where({ all: [trait.udp] }), pipe: make },
            second: { where: where({}), pipe: note(seen, 'second') },
          }),
        ),
      { batches: 1 },
    );
    send(harness, tcp, tcp, tcp);
    seen.length = 0;
    send(harness, udp(1), tcp);
    expect(seen).toEqual(['second 6']);
    expect(harness.finish()).toMatchObject({ originated: 1, forwarded: [0, 6] });
  });

  it('counts a throw of a question against its packet, which takes no arm', () => {
    const seen: string[] = [];
    using harness = bench(
      () => (packets) =>
        packets.pipe(
          branch({
            broken: { when: (packet) => packet.u8(9999) === 0, pipe: note(seen, 'broken') },
            otherwise: { pipe: note(seen, 'otherwise') },
          }),
        ),
    );
    expect(send(harness, udp(1))).toEqual([]);
    expect(seen).toEqual([]);
    expect(harness.finish({ allowCallbackErrors: true }).dropped['callback-error']).toBe(1);
  });

  it('passes a whole batch that an operator in an arm calls settled', () => {
    const settleAll: Pipeline = synchronousOperator('settleAll', () => (batch: PacketBatch) => {
      for (let row = 0; row < batch.count; row++)
        if (batch.verdict[row] === 0) batch.verdict[row] = 1;
      batch.settledAll();
    });
    using harness = bench(
      () => (packets) =>
        packets.pipe(branch({ some: { where: where({ all: [trait.udp] }), pipe: settleAll } })),
    );
    send(harness, udp(1), tcp);
    expect(harness.finish().forwarded).toEqual([1, 1]);
  });

  it('ends the stream with the error of an arm', () => {
    using harness = bench(
      () => (packets) =>
        packets.pipe(
          branch({
            broken: {
              pipe: (arm) =>
                arm.pipe(
                  map(() => {
                    throw new Error('broken arm');
                  }),
                ),
            },
          }),
        ),
    );
    send(harness, udp(1));
    expect(harness.events).toMatchObject([
      { event: 'pipeline-failed', message: 'Error: broken arm' },
    ]);
    harness.run();
    expect(harness.statistics()).toMatchObject({ batchesOut: 0, dropped: { unsubscribed: 1 } });
  });

  it('refuses to have no arm or more than 32', () => {
    expect(() => branch({})).toThrow(/0 arms; 1 to 32/);
    const pipe: Pipeline = (packets) => packets;
    const arm = { pipe };
    const arms = (n: number) =>
      Object.fromEntries(Array.from({ length: n }, (_, i) => [`a${i}`, arm]));
    expect(() => branch(arms(32))).not.toThrow();
    expect(() => branch(arms(33))).toThrow(/33 arms/);
  });

  it('takes back what is in an arm when the stream ends', () => {
    using harness = bench(
      () => (packets) =>
        packets.pipe(branch({ slow: { where: where({ all: [trait.udp] }), pipe: slow(1000) } })),
    );
    send(harness, udp(1), tcp);
    expect(harness.statistics().batchesOut).toBe(1);
    harness.lane.close();
    const { dropped, freeBuffers } = harness.statistics();
    expect(dropped['unsubscribed']).toBe(2);
    expect(freeBuffers).toBe(8192);
  });

  it('keeps every packet and their order, whatever arms hold batches for how long', () => {
    const kind = fc.constantFrom('proto=200', 'icmp echo', 'icmp echo-reply');
    const batches = fc.array(fc.array(kind, { minLength: 1, maxLength: 4 }), {
      minLength: 1,
      maxLength: 12,
    });
    fc.assert(
      fc.property(batches, fc.nat(3), fc.nat(3), fc.nat(3), (schedule, a, b, c) => {
        const hold = (polls: number): Pipeline =>
          polls === 0 ? dropWhen(() => false, 'never') : slow(polls);
        using harness = bench(
          () => (packets) =>
            packets.pipe(
              branch({
                others: { where: where({ all: [trait.otherProtocol] }), pipe: hold(a) },
                requests: { where: where({ all: [trait.echoRequest] }), pipe: hold(b) },
                otherwise: {
                  pipe: (arm) =>
                    arm.pipe(
                      hold(c),
                      transform(() => undefined),
                    ),
                },
              }),
            ),
          { burst: 4, batches: 6, buffers: 256 },
        );
        const expected: string[] = [];
        for (const batch of schedule) {
          for (const protocol of batch) {
            const text = full(`10.0.0.1 > 10.0.0.2 id=${expected.length} ${protocol}`);
            expected.push(text);
            harness.send('in', parseText(text));
          }
          harness.lane.breathe();
        }
        for (let i = 0; i < 50; i++) harness.run();
        expect(sent(harness)).toEqual(expected);
        harness.finish();
      }),
      { numRuns: 100 },
    );
  });
});
