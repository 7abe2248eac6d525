import { describe, expect, it } from 'vitest';
import { seesSettled, synchronousOperator } from '../../src/streams/operator.ts';
import { makeLane } from './lanes.ts';

describe('consecutive operators', () => {
  /** Which operators saw a batch that `settles` of them says is settled. */
  function seen(settles: string): string[] {
    const { lane, ports } = makeLane();
    const names: string[] = [];
    const see = (name: string, always = false) =>
      synchronousOperator(name, () => {
        const work = (batch: Parameters<typeof lane.settle>[0]) => {
          names.push(name);
          batch.verdict.fill(1, 0, batch.count);
          if (name === settles) batch.settledAll();
        };
        return always ? seesSettled(work) : work;
      });
    const run = lane.run((packets) =>
      packets.pipe(see('a'), see('b'), see('c', true), see('d'), see('e', true)),
    );
    ports[0]?.push(new Uint8Array(60));
    lane.breathe();
    run.unsubscribe();
    lane.close();
    return names;
  }

  it('all see a batch with pending packets', () => {
    expect(seen('nobody')).toEqual(['a', 'b', 'c', 'd', 'e']);
  });

  it('are passed by once every packet has its verdict, but for those that see such', () => {
    expect(seen('a')).toEqual(['a', 'c', 'e']);
    expect(seen('c')).toEqual(['a', 'b', 'c', 'e']);
    expect(seen('d')).toEqual(['a', 'b', 'c', 'd', 'e']);
  });
});
