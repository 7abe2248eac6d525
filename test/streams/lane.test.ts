import { throwError } from 'rxjs';
import { drop, forward, Lane, memoryPool, type PacketBatch } from 'rxnf';
import { describe, expect, it } from 'vitest';
import { reasonNames } from '../../src/streams/reasons.ts';
import { frame, makeLane } from './lanes.ts';

/** Gives every packet of a batch one verdict. */
function judge(batch: PacketBatch, verdict: number): void {
  batch.verdict.fill(verdict, 0, batch.count);
}

describe('a lane', () => {
  it('emits what its ports received, in order, and sends what is forwarded', () => {
    const { lane, ports, free } = makeLane();
    const seen: number[][] = [];
    lane.packets.subscribe((batch) => {
      seen.push([...batch.ingress.subarray(0, batch.count)]);
      judge(batch, forward(1));
      lane.settle(batch);
    });
    for (let n = 0; n < 3; n++) ports[0]?.push(frame(n));
    ports[1]?.push(frame(3));
    expect(lane.breathe()).toBe(4);
    expect(lane.breathe()).toBe(0);
    expect(seen).toEqual([[0, 0, 0, 1]]);
    const sent = [0, 1, 2, 3].map(() => ports[1]?.take()?.[59]);
    expect(sent).toEqual([0, 1, 2, 3]);
    expect(lane.statistics()).toMatchObject({ received: [3, 1], forwarded: [0, 4] });
    lane.close();
    expect(free()).toBe(256);
  });

  it('drops what nobody decided, as unsettled', () => {
    const { lane, ports } = makeLane();
    lane.packets.subscribe(lane.settle);
    ports[0]?.push(frame());
    lane.breathe();
    lane.breathe();
    expect(lane.statistics().dropped['unsettled']).toBe(1);
    lane.close();
  });

  it('counts every reason from zero, and drops under their names', () => {
    const { lane, ports, free } = makeLane();
    const why = drop('lane-test-reason');
    expect(Object.keys(lane.statistics().dropped)).toContain('lane-test-reason');
    expect(new Set(Object.values(lane.statistics().dropped))).toEqual(new Set([0]));
    lane.packets.subscribe((batch) => {
      judge(batch, why);
      lane.settle(batch);
    });
    ports[0]?.push(frame());
    lane.breathe();
    lane.breathe();
    expect(lane.statistics().dropped['lane-test-reason']).toBe(1);
    lane.close();
    expect(free()).toBe(256);
  });

  it('has one subscriber: a second is refused and the first goes on', () => {
    const { lane, ports } = makeLane();
    let received = 0;
    lane.packets.subscribe((batch) => {
      received += batch.count;
      lane.settle(batch);
    });
    const errors: unknown[] = [];
    lane.packets.subscribe({ error: (error) => errors.push(error) });
    expect(String(errors[0])).toMatch(/has a subscriber: a batch has one owner/);
    ports[0]?.push(frame());
    lane.breathe();
    expect(received).toBe(1);
    lane.close();
  });

  it('asserts that a batch is settled once, by its own lane', () => {
    const { lane, ports } = makeLane();
    const { lane: other } = makeLane();
    let kept: PacketBatch | undefined;
    lane.packets.subscribe((batch) => {
      kept = batch;
    });
    ports[0]?.push(frame());
    lane.breathe();
    expect(() => other.settle(kept as PacketBatch)).toThrow(/settled twice/);
    lane.settle(kept as PacketBatch);
    expect(() => lane.settle(kept as PacketBatch)).toThrow(
      /settled twice \(last held by settled\)/,
    );
    lane.close();
    other.close();
  });

  it('receives nothing without a free batch, and goes on when one comes back', () => {
    const { lane, ports } = makeLane({ batches: 2 });
    const out: PacketBatch[] = [];
    lane.packets.subscribe((batch) => out.push(batch));
    for (let n = 0; n < 20; n++) ports[0]?.push(frame(n));
    expect([lane.breathe(), lane.breathe(), lane.breathe()]).toEqual([8, 8, 0]);
    expect(ports[0]?.unread).toBe(4);
    expect(lane.statistics().batchesOut).toBe(2);
    lane.settle(out[0] as PacketBatch);
    expect(lane.breathe()).toBe(4);
    lane.close();
  });

  it('receives nothing while nobody listens', () => {
    const { lane, ports } = makeLane();
    ports[0]?.push(frame());
    expect(lane.breathe()).toBe(0);
    expect(ports[0]?.unread).toBe(1);
    lane.close();
  });

  it('takes back what is out when its subscriber leaves', () => {
    const { lane, ports, free } = makeLane();
    const subscription = lane.packets.subscribe();
    for (let n = 0; n < 20; n++) ports[0]?.push(frame(n));
    lane.breathe();
    lane.breathe();
    subscription.unsubscribe();
    subscription.unsubscribe();
    lane.breathe();
    expect(lane.statistics()).toMatchObject({ batchesOut: 0, dropped: { unsubscribed: 16 } });
    expect(free()).toBe(252);
    lane.close();
    expect(free()).toBe(256);
  });

  it('completes its stream when it is closed, once', () => {
    const { lane } = makeLane();
    let completed = 0;
    let closed = 0;
    lane.onClose(() => closed++);
    lane.packets.subscribe({ complete: () => completed++ });
    lane.close();
    lane.close();
    expect([completed, closed]).toEqual([1, 1]);
  });

  it('reports, by its holder, a batch that nobody settles within a second', () => {
    const { lane, ports, events, wait } = makeLane();
    lane.packets.subscribe((batch) => {
      batch.holder = 'forgetful';
    });
    wait(123);
    ports[0]?.push(frame());
    wait(700);
    expect(events).toEqual([]);
    wait(300);
    expect(events).toMatchObject([{ event: 'batch-unsettled', holder: 'forgetful' }]);
    wait(5000);
    expect(events.length).toBeGreaterThan(3);
    expect(events.length).toBeLessThan(8);
    lane.close();
  });

  it('frees and counts what a full transmit ring does not take', () => {
    const { lane, ports, free } = makeLane();
    lane.packets.subscribe((batch) => {
      judge(batch, forward(1));
      lane.settle(batch);
    });
    ports[1]?.set({ refuse: true });
    for (let n = 0; n < 5; n++) ports[0]?.push(frame(n));
    lane.breathe();
    lane.breathe();
    expect(lane.statistics()).toMatchObject({
      forwarded: [0, 0],
      dropped: { 'transmit-full': 5 },
    });
    expect(free()).toBe(256);
    lane.close();
  });

  it('serves five ports, each in its turn', () => {
    const { lane, ports } = makeLane({ portCount: 5, burst: 5 });
    const first: number[] = [];
    lane.packets.subscribe((batch) => {
      first.push(batch.ingress[0] as number);
      for (let row = 0; row < batch.count; row++) {
        batch.verdict[row] = forward(4 - (batch.ingress[row] as number));
      }
      lane.settle(batch);
    });
    for (const port of ports) for (let n = 0; n < 5; n++) port.push(frame(n));
    for (let i = 0; i < 6; i++) lane.breathe();
    expect(new Set(first)).toEqual(new Set([0, 1, 2, 3, 4]));
    expect(lane.statistics()).toMatchObject({
      received: [5, 5, 5, 5, 5],
      forwarded: [5, 5, 5, 5, 5],
    });
    expect(lane.port('p3')).toBe(3);
    expect(() => lane.port('eth0')).toThrow(/no port is named eth0; there are p0, p1, p2, p3, p4/);
    lane.close();
  });

  it('receives no more than a budget from a port', () => {
    const { lane, ports } = makeLane();
    lane.packets.subscribe(lane.settle);
    for (let n = 0; n < 10; n++) ports[0]?.push(frame(n));
    lane.setBudget(0, 3);
    expect([lane.breathe(), lane.breathe()]).toEqual([3, 3]);
    lane.setBudget(0, 0);
    expect(lane.breathe()).toBe(0);
    lane.setBudget(0, -1);
    expect(lane.breathe()).toBe(4);
    expect(lane.receivedFrom(0)).toBe(10);
    lane.close();
  });

  it('makes packets in a batch until it or the pool has no room', () => {
    const { lane, ports, free } = makeLane({ burst: 2, spare: 3 });
    const rows: number[] = [];
    lane.packets.subscribe((batch) => {
      for (let n = 0; n < 5; n++) rows.push(lane.originate(batch, 0, 60));
      judge(batch, forward(1));
      lane.settle(batch);
    });
    ports[0]?.push(frame());
    lane.breathe();
    lane.breathe();
    expect(rows).toEqual([1, 2, 3, 4, -1]);
    expect(lane.statistics()).toMatchObject({ originated: 4, forwarded: [0, 5] });
    while (ports[1]?.take());
    expect(free()).toBe(256);
    lane.close();
  });

  it('sends frames of its own while it has a free batch', () => {
    const { lane, ports, free } = makeLane({ batches: 1 });
    expect(lane.transmit(1, frame(7))).toBe(true);
    expect(lane.transmit(1, frame(8))).toBe(false);
    lane.breathe();
    expect(ports[1]?.take()?.[59]).toBe(7);
    expect(ports[1]?.take()).toBeUndefined();
    lane.close();
    expect(free()).toBe(256);
  });

  it('has room for tables it declares and no others', () => {
    expect(() => makeLane({ batches: 0 })).toThrow(/batches 1 to 64/);
    expect(() => makeLane({ burst: 600 })).toThrow(/rows at most 512/);
    const { lane } = makeLane();
    expect(() => lane.register('nothing')).toThrow(/table nothing is not declared/);
    lane.close();
  });

  it('reports at most one event of a kind and holder a second', () => {
    const { lane, events, wait } = makeLane();
    for (let n = 0; n < 3; n++) lane.report({ event: 'odd', holder: 'a' });
    lane.report({ event: 'odd', holder: 'b' });
    wait(999);
    lane.report({ event: 'odd', holder: 'a' });
    expect(events).toHaveLength(2);
    wait(1);
    lane.report({ event: 'odd', holder: 'a' });
    expect(events).toHaveLength(3);
    lane.close();
  });

  it('says when a pipeline has failed', () => {
    const { lane, events } = makeLane();
    lane.run(() => throwError(() => new Error('broken')));
    expect(events).toEqual([{ event: 'pipeline-failed', message: 'Error: broken' }]);
    lane.close();
  });
});

describe("a lane's clock", () => {
  it('runs tasks as often as they ask, those added late included', () => {
    const { lane, wait } = makeLane();
    const fired: string[] = [];
    lane.every(100, () => fired.push('a'));
    wait(130);
    lane.every(10, () => fired.push('b'));
    wait(10);
    expect(fired).toEqual(['a', 'b']);
    wait(60);
    expect(fired.filter((name) => name === 'b')).toHaveLength(7);
    lane.close();
  });

  it.each([2 ** 31, 2 ** 32, 2 ** 33])(
    'wraps at 2^32 ms, and timers do not mind: near %d',
    (around) => {
      const { lane, ports, events, wait } = makeLane();
      lane.advance((around - 2000) * 1e6);
      lane.breathe();
      const fired: number[] = [];
      lane.every(500, (now) => fired.push(now));
      lane.packets.subscribe();
      wait(1900);
      ports[0]?.push(frame());
      lane.report({ event: 'odd' });
      wait(2100);
      lane.report({ event: 'odd' });
      expect(lane.nowMilliseconds).toBe((around + 2000) % 2 ** 32);
      expect(fired).toHaveLength(8);
      expect(events.filter(({ event }) => event === 'odd')).toHaveLength(2);
      const unsettled = events.filter(({ event }) => event === 'batch-unsettled');
      expect(unsettled.length).toBeGreaterThanOrEqual(1);
      expect(unsettled[0]?.['milliseconds']).toBeLessThan(1001);
      lane.close();
    },
  );

  it('starts at the time of the machine, and goes on while every batch is out', async () => {
    const { lane, ports } = makeLane({ virtualClock: false, batches: 1 });
    const machine = Number(process.hrtime.bigint());
    expect(Math.abs(lane.nowNanoseconds - machine)).toBeLessThan(5e9);
    lane.packets.subscribe();
    ports[0]?.push(frame());
    lane.breathe();
    const before = lane.nowNanoseconds;
    await new Promise((resolve) => setTimeout(resolve, 5));
    lane.breathe();
    expect(lane.statistics().batchesOut).toBe(1);
    expect(lane.nowNanoseconds - before).toBeGreaterThan(4e6);
    lane.close();
  });
});

describe('drop reasons', () => {
  it('are 256 at the most', () => {
    const { length } = reasonNames();
    for (let n = length; n < 256; n++) drop(`filler-${n}`);
    expect(() => drop('one-more')).toThrow(/more than 256 drop reasons: one-more/);
    expect(drop('filler-255')).toBe(-255);
    const lane = new Lane({ pool: memoryPool(8), ports: [] });
    expect(lane.statistics().dropped['filler-255']).toBe(0);
    lane.close();
  });
});
