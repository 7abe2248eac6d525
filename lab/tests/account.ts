/**
 * Holds what an instance counted against what the generator outside it did: every packet is one that
 * the generator sent, or ARP; it arrived translated, or is counted as dropped for its reason.
 *
 *     node --conditions=source lab/tests/account.ts INSTANCE.log GENERATOR.log
 */
import { readFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import type { InstanceSummary } from '../../src/instance/summary.ts';
import type { Counts } from '../outside/traffic.ts';

const [log = '', report = ''] = process.argv.slice(2);
const summary: InstanceSummary = last(log, '{"event":"summary"');
const counts: Counts = last(report, '{');

const { received, forwarded, originated, held, droppedByReason } = summary;
const { arp = 0, ...dropped } = droppedByReason;
const sent = counts.requestsSent + counts.repliesSent + counts.strays + counts.expired;
const expected = {
  received: sent,
  translated: counts.requestsArrived + counts.repliesArrived,
  dropped: { 'ttl-exceeded': counts.expired, 'no-binding': counts.strays },
  held: 0,
  conserved: true,
};
const found = {
  received: received - arp,
  translated: forwarded - originated,
  dropped: { 'ttl-exceeded': 0, 'no-binding': 0, ...dropped },
  held,
  conserved: summary.conserved,
};
console.log(`the instance: ${JSON.stringify({ ...found, arp, originated })}`);
if (!isDeepStrictEqual(found, expected)) {
  console.log(`the generator: ${JSON.stringify(expected)}`);
  process.exitCode = 1;
}

function last<T>(file: string, beginning: string): T {
  const lines = readFileSync(file, 'utf8').split('\n');
  const line = lines.findLast((each) => each.startsWith(beginning));
  if (line === undefined) throw new Error(`${file} has no line that begins with ${beginning}`);
  return JSON.parse(line);
}
