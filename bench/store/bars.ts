/** What the store must reach, as ratios of one run. */
import type { StoreRow } from './rows.ts';

export interface Bar {
  readonly bar: string;
  readonly measured: number;
  readonly holds: boolean;
}

/** Bars whose rows are absent are left out. */
export function judgeStore(rows: readonly StoreRow[]): Bar[] {
  const row = (name: string) => rows.find((it) => it.name === name);
  const bars: Bar[] = [];
  const atLeast = (bar: string, least: number, measured: number | undefined) => {
    if (measured !== undefined)
      bars.push({ bar: `${bar} >= ${least}`, measured, holds: measured >= least });
  };
  const share = (name: string, of: string) => {
    const [one, other] = [row(name)?.median, row(of)?.median];
    return one === undefined || other === undefined ? undefined : one / other;
  };
  atLeast("bare C client / server's own benchmark at W=4", 0.9, row('bare C W=4')?.ratio);
  for (const w of [1, 2, 4, 8])
    atLeast(`native lookups / bare C at W=${w}`, 0.85, row(`rxnf lookup W=${w}`)?.ratio);
  atLeast('native lookups / ioredis at W=4', 2.5, share('rxnf lookup W=4', 'ioredis W=4'));
  for (const burst of ['', ' burst 256']) {
    const own = row(`native client W=4${burst}, resting`)?.cpuNanoseconds;
    const theirs = row(`ioredis W=4${burst}`)?.cpuNanoseconds;
    if (own !== undefined && theirs !== undefined)
      atLeast(`CPU of a lookup${burst && `,${burst}`}, ioredis / native`, 8, theirs / own);
  }
  const best = bestOf(rows, /^rxnf NAT, unix W=\d+$/);
  const bare = bestOf(rows, /^bare C W=\d+$/);
  if (best !== undefined && bare !== undefined)
    atLeast('NAT over a unix socket at its best / bare C at its best', 0.8, best / bare);
  atLeast('NAT on shared memory / in memory', 0.8, row('rxnf NAT, shared memory')?.ratio);
  return bars;
}

function bestOf(rows: readonly StoreRow[], names: RegExp): number | undefined {
  const values = rows.filter(({ name }) => names.test(name)).map(({ median }) => median);
  return values.length === 0 ? undefined : Math.max(...values);
}
