/**
 * Runs a benchmark:
 * `npm run bench -- store [--quick] [--json FILE] [--rounds N] [--flows 10k] [--burst 32,64,256]
 * [--in-flight 1,2,4,8] [--seconds S]`, or
 * `npm run bench -- datapath [--quick] [--json FILE] [--rounds N] [--check]
 * [--flows 10k,100k,1m] [--burst 64,128] [--new-flows 0.1] [--churn-minutes 10] [--only NAME,...] [--seconds S] [--core N]`, or
 * `npm run bench -- churn [--minutes 10] [--json FILE] [--check] [--core N]`.
 */
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type DatapathOptions, datapath } from './datapath/datapath.ts';
import { type StoreOptions, store } from './store/store.ts';
import { UsageError } from './usage-error.ts';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    check: { type: 'boolean', default: false },
    json: { type: 'string' },
    rounds: { type: 'string' },
    flows: { type: 'string' },
    burst: { type: 'string' },
    'new-flows': { type: 'string' },
    'churn-minutes': { type: 'string' },
    minutes: { type: 'string' },
    only: { type: 'string' },
    seconds: { type: 'string' },
    core: { type: 'string' },
    'in-flight': { type: 'string' },
  },
});

try {
  process.exitCode = await main();
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  console.error(error.message);
  process.exitCode = 2;
}

async function main(): Promise<number> {
  const [name] = positionals;
  if (positionals.length === 1 && name === 'datapath') return datapath(datapathOptions());
  if (positionals.length === 1 && name === 'churn') return datapath(churnOptions());
  if (positionals.length === 1 && name === 'store') return store(storeOptions());
  console.error(
    `usage: npm run bench -- datapath|churn|store [options]; got: ${positionals.join(' ')}`,
  );
  return 2;
}

/** `--quick` is a smoke run of under 30 s. */
function storeOptions(): StoreOptions {
  const { quick } = values;
  return {
    root,
    build: `${root}/build`,
    flows: count(values.flows ?? '10k'),
    bursts: list(values.burst ?? (quick ? '' : '32,64,256')).map(count),
    inFlight: list(values['in-flight'] ?? (quick ? '4' : '1,2,4,8')).map(count),
    rounds: number('rounds', values.rounds ?? (quick ? '1' : '3')),
    warmup: 1,
    seconds: number('seconds', values.seconds ?? (quick ? '1' : '2')),
    quick,
    ...(values.json !== undefined && { json: values.json }),
  };
}

/** `--quick` is a smoke run of well under a minute: every contender, once. */
function datapathOptions(): DatapathOptions {
  const { quick } = values;
  return {
    root,
    build: `${root}/build`,
    flows: list(values.flows ?? (quick ? '10k' : '10k,100k,1m')).map(count),
    bursts: list(values.burst ?? (quick ? '128' : '64,128')).map(count),
    newFlows: number('new-flows', values['new-flows'] ?? (quick ? '0' : '0.1')),
    churnMinutes: number('churn-minutes', values['churn-minutes'] ?? (quick ? '0' : '10')),
    rounds: number('rounds', values.rounds ?? (quick ? '1' : '5')),
    warmup: quick ? 0.5 : 1,
    seconds: number('seconds', values.seconds ?? (quick ? '1' : '2')),
    check: values.check,
    ...(values.only !== undefined && { only: list(values.only) }),
    ...(values.json !== undefined && { json: values.json }),
    ...(values.core !== undefined && { core: number('core', values.core) }),
  };
}

/** The composed NAT alone, a tenth of its packets of new flows, for minutes. */
function churnOptions(): DatapathOptions {
  const churnMinutes = number('minutes', values.minutes ?? '10');
  if (churnMinutes === 0) throw new UsageError('--minutes 0: nothing would be measured');
  return { ...datapathOptions(), flows: [], churnMinutes, only: ['rxnf-nat'] };
}

function list(text: string): string[] {
  return text.split(',').filter((item) => item !== '');
}

/** `count('100k')` gives 100000. */
function count(text: string): number {
  const match = /^(\d+)([km]?)$/i.exec(text);
  if (!match) throw new UsageError(`'${text}' is not a number such as 64, 10k or 1m`);
  const unit = { k: 1000, m: 1_000_000 }[match[2].toLowerCase()] ?? 1;
  return Number(match[1]) * unit;
}

function number(option: string, text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value < 0)
    throw new UsageError(`--${option} ${text}: not a number`);
  return value;
}
