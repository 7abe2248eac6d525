import { forward, networkFunction, type Pipeline, parse, transform } from 'rxnf';
import { Harness, hostMac } from 'rxnf/testing';
import { describe, expect, it } from 'vitest';
import { native } from '../../src/native.ts';
import type { Lane } from '../../src/streams/lane.ts';
import { batchOperator } from '../../src/streams/operator.ts';
import { drop, held } from '../../src/streams/verdict.ts';
import { compose, dissect, type Frame } from '../../src/wire/frame.ts';
import { formatText, parseText } from '../../src/wire/text.ts';

const packet = parseText('10.0.0.5:1 > 10.0.0.6:2 udp "x"');

/** Sends what comes in by `a` out by `b`, after what a test puts in between. */
function wire(between?: (lane: Lane) => Pipeline) {
  return networkFunction('wire', [], (lane) => {
    const anything = { a: { acceptAny: true }, b: { acceptAny: true } };
    const out = transform(() => forward(lane.port('b')));
    const middle = between?.(lane) ?? ((packets) => packets);
    return (packets) => middle(packets.pipe(parse({ ports: anything }))).pipe(out);
  });
}

/** Runs one packet through and finishes. */
function finish(between?: (lane: Lane) => Pipeline): void {
  using harness = new Harness(wire(between), { ports: ['a', 'b'] });
  harness.send('a', packet);
  harness.finish();
}

describe('a harness', () => {
  it('gives what was sent, on the port and at the time that it was', () => {
    using harness = new Harness(wire(), { ports: ['a', 'b'] });
    harness.advance(5);
    harness.send('a', packet);
    harness.run();
    const [output, ...others] = harness.outputs();
    expect(others).toEqual([]);
    expect(output).toMatchObject({ port: 'b', nanoseconds: 5_000_000 });
    expect(formatText(output?.frame as Uint8Array)).toBe(formatText(packet));
    expect(harness.outputs()).toEqual([]);
    expect(harness.finish()).toMatchObject({ received: [1, 0], forwarded: [0, 1] });
  });

  it('gives each frame once, by port or of all ports', () => {
    using harness = new Harness(wire(), { ports: ['a', 'b'] });
    for (let i = 0; i < 3; i++) harness.send('a', packet);
    harness.run();
    expect(harness.received('a')).toEqual([]);
    expect(harness.received('b')).toHaveLength(3);
    expect(harness.received('b')).toEqual([]);
    expect(harness.outputs()).toEqual([]);
  });

  it('moves time exactly as far as it is told', () => {
    using harness = new Harness(wire(), { ports: ['a'] });
    for (const milliseconds of [1, 0.25, 399, 1000.5, 7_440_000]) {
      const before = harness.nowNanoseconds;
      harness.advance(milliseconds);
      expect(harness.nowNanoseconds - before).toBe(milliseconds * 1e6);
    }
  });

  it('runs timers of the lane on the virtual clock', () => {
    const fired: number[] = [];
    const timed = networkFunction('timed', [], (lane) => {
      lane.every(100, (now) => fired.push(now));
      return (packets) => packets;
    });
    using harness = new Harness(timed, { ports: ['a'] });
    harness.advance(350);
    expect(fired).toEqual([100, 200, 300]);
  });

  it('names ports that do not exist, and addresses that are none', () => {
    using harness = new Harness(wire(), { ports: ['a', 'b'] });
    expect(() => harness.send('c', packet)).toThrow('no port is named c; there are a, b');
    expect(() => new Harness(wire(), { ports: ['a', 'a'] })).toThrow('used twice');
    expect(() => new Harness(wire(), { ports: [{ name: 'a', mac: 'x' }] })).toThrow(
      'mac of a: "x"',
    );
  });

  it('says when a port takes no more', () => {
    using harness = new Harness(wire(), { ports: ['a', 'b'], buffers: 2 });
    harness.send('a', packet);
    harness.send('a', packet);
    expect(() => harness.send('a', packet)).toThrow('took no frame');
  });
});

describe('the hosts of a link', () => {
  /** Asks by ARP for an address, from 10.0.0.1. */
  const question = (address: string) =>
    compose({
      ethernet: { source: 1 },
      arp: { operation: 1, senderMac: 1, senderAddress: '10.0.0.1', targetAddress: address },
    });

  function ask(address: string, options: object = {}) {
    using harness = new Harness(wire(), {
      ports: ['a', { name: 'b', networks: ['10.0.0.0/24'] }],
      ...options,
    });
    harness.send('a', question(address));
    harness.run();
    // The question came out of b; its answer came in there, and went out of b again.
    return harness.received('b').map((frame) => (dissect(frame) as Frame).arp);
  }

  it('answer for their addresses', () => {
    expect(ask('10.0.0.6')).toEqual([
      expect.objectContaining({
        operation: 2,
        senderAddress: 0x0a000006,
        senderMac: hostMac(0x0a000006),
        targetMac: 1,
      }),
    ]);
  });

  it('leave the question alone where they are not to answer', () => {
    expect(ask('10.0.0.6', { answerArp: false })).toEqual([
      expect.objectContaining({ operation: 1 }),
    ]);
  });

  it.each([
    ['of another network', '10.0.1.6', {}],
    ['that is absent', '10.0.0.6', { absent: ['10.0.0.6'] }],
    ['that the asker itself claims', '10.0.0.1', {}],
  ])('do not answer for an address %s', (_case, address, options) => {
    expect(ask(address, options)).toEqual([]);
  });
});

describe('finish', () => {
  it('is content with a pipeline that settles what it is given', () => {
    expect(() => finish()).not.toThrow();
  });

  it('names the operator that keeps a batch', () => {
    const leak: Pipeline = batchOperator('forgetful', () => ({ process: () => undefined }));
    expect(() => finish(() => leak)).toThrow(
      /1 batches were never settled, last held by forgetful/,
    );
  });

  it('finds packets that were taken out of their batch and forgotten', () => {
    expect(() => finish(() => transform(() => held))).toThrow(
      /received 1 \+ originated 0 = forwarded 0 \+ dropped 0 \+ held 0, and 1 that nobody accounts for/,
    );
  });

  it('finds buffers that were freed twice', () => {
    const twice = (lane: Lane): Pipeline =>
      transform((p) => {
        lane.dropHeld(p.batch.handle[p.row] as number, 1);
      });
    expect(() => finish(twice)).toThrow(/conservation: .* and -1 that nobody accounts for/);
  });

  it('finds buffers that were freed though their packets were sent', () => {
    const early = (lane: Lane): Pipeline =>
      transform((p) => {
        native.freeBuffer(lane.number, p.batch.handle[p.row] as number);
      });
    expect(() => finish(early)).toThrow(
      /the pool misses -1 of 8192 buffers where 0 packets are held/,
    );
  });

  it('reports callbacks that threw, unless that is what is tested', () => {
    const thrower = () =>
      transform(() => {
        throw new Error('planted');
      }) as Pipeline;
    expect(() => finish(thrower)).toThrow(/a callback threw: Error: planted/);
    using harness = new Harness(wire(thrower), { ports: ['a', 'b'] });
    harness.send('a', packet);
    expect(harness.finish({ allowCallbackErrors: true }).dropped['callback-error']).toBe(1);
  });

  it('lets what is held time out, and not for ever', () => {
    const late = (milliseconds: number) => (lane: Lane) => {
      const kept: number[] = [];
      const why = -drop('test-late');
      lane.every(milliseconds, () => {
        for (const handle of kept.splice(0)) lane.dropHeld(handle, why);
      });
      lane.onClose(() => {
        for (const handle of kept.splice(0)) lane.dropHeld(handle, why);
      });
      return transform((p) => {
        kept.push(p.batch.handle[p.row] as number);
        return held;
      }) as Pipeline;
    };
    expect(() => finish(late(60_000))).not.toThrow();
    expect(() => finish(late(180_000))).toThrow(/1 that nobody accounts for/);
  });
});
