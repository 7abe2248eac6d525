import { drop, forward, Packet, type PacketBatch } from 'rxnf';
import { describe, expect, it } from 'vitest';
import { Hold } from '../../src/streams/hold.ts';
import { held } from '../../src/streams/verdict.ts';
import { buffers, frame, makeLane } from './lanes.ts';

const limits = {
  capacity: 6,
  perKey: 3,
  milliseconds: 100,
  expired: 'hold-expired',
  full: 'hold-full',
};

/** A lane that holds every packet the first time, under its last byte, and forwards it the second. */
function holding(options: Parameters<typeof makeLane>[0] = {}) {
  const made = makeLane(options);
  const { lane } = made;
  const hold = new Hold(lane, limits);
  const packet = new Packet(lane.pool.arena, lane.anyBatch);
  const seen: number[] = [];
  let holds = true;
  lane.packets.subscribe((batch: PacketBatch) => {
    for (let row = 0; row < batch.count; row++) {
      packet.move(batch, row);
      const name = packet.u8(59);
      seen.push(name);
      batch.verdict[row] = holds ? hold.take(packet, `${name}`) : forward(1);
    }
    lane.settle(batch);
  });
  const push = (...names: number[]) => {
    for (const name of names) made.ports[0]?.push(frame(name));
    lane.breathe();
    lane.breathe();
  };
  return { ...made, hold, seen, push, stopHolding: () => (holds = false) };
}

describe('a hold', () => {
  it('keeps packets out of batches, and lets them in again in order', () => {
    const { lane, ports, hold, seen, push, stopHolding, free } = holding();
    push(1, 2, 1);
    expect(hold.count).toBe(3);
    expect(lane.statistics()).toMatchObject({ held: 3, batchesOut: 0 });
    expect(free()).toBe(buffers - 3);
    stopHolding();
    hold.release('1');
    hold.release('nothing');
    lane.breathe();
    lane.breathe();
    expect(seen).toEqual([1, 2, 1, 1, 1]);
    expect(hold.count).toBe(1);
    expect([ports[1]?.take()?.[59], ports[1]?.take()?.[59], ports[1]?.take()]).toEqual([
      1,
      1,
      undefined,
    ]);
    lane.close();
    expect(free()).toBe(buffers);
  });

  it('has bounds, per key and in all', () => {
    const { lane, hold, push } = holding();
    push(1, 1, 1, 1);
    expect(hold.count).toBe(3);
    push(2, 3, 4, 5);
    expect(hold.count).toBe(6);
    expect(lane.statistics().dropped['hold-full']).toBe(2);
    lane.close();
  });

  it('drops what has waited for too long', () => {
    const { lane, hold, push, wait, free } = holding();
    push(1);
    wait(60);
    push(2);
    wait(39);
    expect(hold.count).toBe(2);
    wait(26);
    expect(hold.count).toBe(1);
    wait(60);
    expect(lane.statistics()).toMatchObject({ held: 0, dropped: { 'hold-expired': 2 } });
    expect(free()).toBe(buffers);
    lane.close();
  });

  it('lets in no more at once than a batch takes', () => {
    const { lane, hold, push, stopHolding, seen } = holding({ burst: 2 });
    for (const name of [1, 1, 2, 2, 3, 3]) push(name);
    stopHolding();
    for (const name of ['1', '2', '3']) hold.release(name);
    seen.length = 0;
    lane.breathe();
    expect(seen).toEqual([1, 1]);
    for (let i = 0; i < 4; i++) lane.breathe();
    expect(seen).toEqual([1, 1, 2, 2, 3, 3]);
    lane.close();
  });

  it.each([
    ['held', false, 0],
    ['released', true, 0],
    ['on their way in', true, 1],
  ])('loses no buffer when the lane is closed with packets %s', (_, released, polls) => {
    const { lane, hold, push, free } = holding();
    push(1, 1, 2);
    if (released) hold.release('1');
    for (let i = 0; i < polls; i++) hold.poll();
    lane.close();
    expect(free()).toBe(buffers);
    const { dropped } = lane.statistics();
    const { 'hold-expired': expired = 0, unsubscribed = 0 } = dropped;
    expect(expired + unsubscribed).toBe(3);
  });

  it('gives the verdict that leaves a buffer alone', () => {
    const { lane, ports, free } = makeLane();
    const handles: number[] = [];
    lane.packets.subscribe((batch) => {
      handles.push(batch.handle[0] as number);
      batch.verdict[0] = held;
      lane.settle(batch);
    });
    ports[0]?.push(frame());
    lane.breathe();
    lane.breathe();
    expect(free()).toBe(buffers - 1);
    lane.dropHeld(handles[0] as number, -drop('hold-expired'));
    expect(free()).toBe(buffers);
    lane.close();
  });
});
