/**
 * What RxJS users rely on in any operator, for each of ours: the checklist of
 * cases/stream/operator_contract_checklist.json, as far as it speaks of operators over a hot source.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { EMPTY, NEVER, Observable, of, Subject, type Subscriber, throwError } from 'rxjs';
import {
  applyEdits,
  branch,
  countPackets,
  dropRows,
  dropWhen,
  forwardTo,
  ipv4,
  type Lane,
  lookupState,
  memoryStore,
  neighbourTable,
  observe,
  type PacketBatch,
  type Pipeline,
  parse,
  port,
  record,
  reserveState,
  route,
  samplePackets,
  table,
  transform,
  translate,
  where,
  writeState,
} from 'rxnf';
import { describe, expect, it } from 'vitest';
import { delayedStore } from '../../src/state/delayed-store.ts';
import { openSessions } from '../../src/state/sessions.ts';
import { parseText } from '../../src/wire/text.ts';
import { makeLane } from '../streams/lanes.ts';
import { udp } from './bench.ts';

const flows = table('flow', record('flow', 1, { address: ipv4, port }), { capacity: 64 });
const neighbours = neighbourTable('neighbour', 16, 60);
const tables = [flows, neighbours];
const look = lookupState(flows, { key: 'flow' });

const operators: Record<string, Pipeline> = {
  applyEdits: applyEdits(),
  branch: branch({ all: { pipe: transform(() => undefined) } }),
  countPackets: countPackets('contract'),
  dropRows: dropRows([{ where: where({}), reason: 'contract' }]),
  dropWhen: dropWhen(() => true, 'contract'),
  forwardTo: forwardTo(0),
  lookupState: look,
  observe: observe(() => undefined),
  parse: parse(),
  reserveState: reserveState(flows),
  route: route({ routes: [], neighbours }),
  samplePackets: samplePackets(2, () => undefined),
  transform: transform(() => undefined),
  translate: (packets) =>
    packets.pipe(look, translate(flows, { side: 'source', address: 'address', port: 'port' })),
  writeState: (packets) =>
    packets.pipe(
      look,
      transform([flows], ({ flow }) => {
        if (!flow.found) flow.create();
      }),
      writeState([flows]),
    ),
};

const cases = process.env['RXNF_CASES'];
const checklist = cases && join(cases, 'stream', 'operator_contract_checklist.json');

describe.skipIf(!checklist || !existsSync(checklist))('the checklist (RXNF_CASES)', () => {
  it('asks for nothing of operators that is not answered here', () => {
    const { operator_contract } = JSON.parse(readFileSync(checklist as string, 'utf8'));
    const ids = operator_contract.map(({ id }: { id: string }) => id);
    expect(ids).toEqual(['C1', 'C2', 'C3', 'C4', 'C5', 'C6', 'C7', 'C8', 'C9', 'C10']);
  });
});

/** Batches of two packets each, and the lane that they are of. */
function withBatches(
  store: 'memory' | 'delayed',
  run: (lane: Lane, next: () => PacketBatch) => void,
) {
  const { lane, ports, free } = makeLane({ tables, batches: 8 });
  openSessions(
    lane,
    store === 'memory' ? memoryStore() : delayedStore(memoryStore(), { latencyMilliseconds: 1 }),
  );
  let received: PacketBatch | undefined;
  const subscription = lane.packets.subscribe((batch) => {
    received = batch;
  });
  let made = 0;
  run(lane, () => {
    for (let n = 0; n < 2; n++) ports[0]?.push(parseText(udp(made++)));
    lane.breathe();
    return received as PacketBatch;
  });
  subscription.unsubscribe();
  lane.close();
  expect(free()).toBe(256);
}

describe.each(['memory', 'delayed'] as const)('over a %s store', (store) => {
  describe.each(Object.entries(operators))('%s', (_, operator) => {
    it('hands every batch on once, in order', () => {
      withBatches(store, (lane, next) => {
        const source = new Subject<PacketBatch>();
        const out: PacketBatch[] = [];
        const subscription = operator(source).subscribe((batch) => out.push(batch));
        const batches = [next(), next(), next()];
        for (const batch of batches) source.next(batch);
        for (let i = 0; i < 20; i++) {
          lane.advance(1e6);
          lane.breathe();
        }
        expect(out).toEqual(batches);
        subscription.unsubscribe();
      });
    });

    it('C1 C3 C8: stops at once when it is unsubscribed, and its source with it', () => {
      withBatches(store, (lane, next) => {
        let source: Subscriber<PacketBatch> | undefined;
        let ended = 0;
        const out: PacketBatch[] = [];
        const subscription = operator(
          new Observable<PacketBatch>((subscriber) => {
            source = subscriber;
            return () => ended++;
          }),
        ).subscribe((batch) => out.push(batch));
        source?.next(next());
        const before = out.length;
        subscription.unsubscribe();
        expect(ended).toBe(1);
        source?.next(next());
        for (let i = 0; i < 20; i++) {
          lane.advance(1e6);
          lane.breathe();
        }
        expect(out.length).toBe(before);
      });
    });

    it('C2: does not mind being unsubscribed twice, or with what it is part of', () => {
      withBatches(store, (_lane, next) => {
        const source = new Subject<PacketBatch>();
        const subscription = operator(operator(source)).subscribe();
        source.next(next());
        subscription.unsubscribe();
        subscription.unsubscribe();
        expect(source.observed).toBe(false);
      });
    });

    it('C4 C5: mirrors sources that never emit, are empty, or fail', () => {
      const signals = (source: Observable<PacketBatch>) => {
        const seen: string[] = [];
        operator(source)
          .subscribe({
            next: () => seen.push('next'),
            error: (error) => seen.push(String(error)),
            complete: () => seen.push('complete'),
          })
          .unsubscribe();
        return seen;
      };
      expect(signals(NEVER)).toEqual([]);
      expect(signals(EMPTY)).toEqual(['complete']);
      expect(signals(throwError(() => new Error('gone')))).toEqual(['Error: gone']);
    });

    it('C7: shares no state between two subscriptions of one observable', () => {
      withBatches(store, (lane, next) => {
        const source = new Subject<PacketBatch>();
        const piped = operator(source);
        const out: PacketBatch[][] = [[], []];
        const first = piped.subscribe((batch) => out[0]?.push(batch));
        source.next(next());
        for (let i = 0; i < 20; i++) {
          lane.advance(1e6);
          lane.breathe();
        }
        first.unsubscribe();
        const second = piped.subscribe((batch) => out[1]?.push(batch));
        source.next(next());
        for (let i = 0; i < 20; i++) {
          lane.advance(1e6);
          lane.breathe();
        }
        expect(out.map((list) => list.length)).toEqual([1, 1]);
        second.unsubscribe();
      });
    });

    it('C10: delivers in order what its source emits while it emits', () => {
      withBatches(store, (lane, next) => {
        const source = new Subject<PacketBatch>();
        const out: PacketBatch[] = [];
        const batches = [next(), next()];
        const subscription = operator(source).subscribe((batch) => {
          out.push(batch);
          if (out.length === 1) source.next(batches[1] as PacketBatch);
        });
        source.next(batches[0] as PacketBatch);
        for (let i = 0; i < 20; i++) {
          lane.advance(1e6);
          lane.breathe();
        }
        expect(out).toEqual(batches);
        subscription.unsubscribe();
      });
    });
  });
});

describe('a synchronous source', () => {
  it.each(Object.entries(operators))('C1: of %s is left when its subscriber is', (_, operator) => {
    withBatches('memory', (_lane, next) => {
      const batches = [next(), next(), next()];
      let taken = 0;
      const subscription = operator(of(...batches)).subscribe(() => taken++);
      subscription.unsubscribe();
      expect(taken).toBe(3);
    });
  });
});
