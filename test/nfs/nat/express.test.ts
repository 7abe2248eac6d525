/**
 * What goes the express way comes out as if it had not: the same NAT on the same random traffic, once
 * with that way open and once with it closed. Frames, drops by reason, and the state that is left must
 * be equal.
 */
import { type NatOptions, nat, type Table } from 'rxnf';
import { Harness, type Output } from 'rxnf/testing';
import { describe, expect, it, vi } from 'vitest';
import { sessionOf } from '../../../src/state/sessions.ts';
import { recordRow } from '../../../src/state/store.ts';
import { formatText, parseText } from '../../../src/wire/text.ts';
import { Random } from '../../sim/random.ts';
import { ip, network } from './network.ts';

const way = vi.hoisted(() => ({ isOpen: true }));

vi.mock(import('../../../src/operators/express.ts'), async (original) => {
  const { express } = await original();
  return {
    express: (options) => (way.isOpen ? express(options) : (packets) => packets as never),
  };
});

vi.mock(import('../../../src/operators/express-lookup.ts'), async (original) => {
  const { expressLookup } = await original();
  return {
    expressLookup: (options, longWay) => (way.isOpen ? expressLookup(options, longWay) : longWay),
  };
});

/** Inside ports and external ones are few, so that flows meet, end and begin again. */
const options: NatOptions = {
  ...network,
  pool: [ip('203.0.113.1'), ip('203.0.113.7')],
  ports: { first: 1024, last: 1055 },
  timeouts: { udp: 20, tcpTransitory: 10, tcpEstablished: 40, icmp: 5 },
  shortTimeouts: true,
};

/** Ports without a MAC address take every frame. */
const ports = [
  { name: 'inside', mac: '00:00:00:00:00:00' },
  { name: 'outside', mac: '00:00:00:00:00:00', mtu: 1000 },
];
const rounds = 60;
const mostFrames = 48;
/** Milliseconds between rounds: none, some, and enough for bindings to be refreshed or to end. */
const pauses = [0, 0, 1, 700, 4000, 12_000];

interface Frame {
  readonly port: 'inside' | 'outside';
  readonly bytes: Uint8Array;
}

/** What the hosts of both sides send; those outside answer what they got. */
class Traffic {
  private readonly random: Random;
  private readonly heard: string[] = [];

  constructor(random: Random) {
    this.random = random;
  }

  /** An outside host has got a frame: from now on it may answer. */
  hear(outputs: readonly Output[]): void {
    for (const { port, frame } of outputs) {
      const ends =
        port === 'outside' && /^(\S+:\d+) > (\S+:\d+) .*\b(udp|tcp)\b/.exec(formatText(frame));
      if (ends) this.heard.push(`${ends[2]} > ${ends[1]} %s ${ends[3]}`);
    }
  }

  next(): Frame {
    const { random } = this;
    const line = this.heard.length > 0 && random.chance(0.4) ? this.answer() : this.line();
    const bytes = parseText(`${line} len=${random.pick([0, 1, 40, 1100])}`);
    if (random.chance(0.05)) damage(bytes, random);
    return { port: line.startsWith('10.') ? 'inside' : 'outside', bytes };
  }

  private answer(): string {
    const line = this.random.pick(this.heard).replace('%s', this.header());
    return line.endsWith('tcp') ? line + this.flags() : line;
  }

  private line(): string {
    return this.random.chance(0.1) ? this.odd() : this.begin();
  }

  private header(): string {
    return this.random.pick(['', '', '', '', 'df', 'ttl=1', 'ttl=2', 'options=0703040000000000']);
  }

  private flags(): string {
    return this.random.pick([' A', ' A', ' A', ' A', ' S', ' SA', ' FA', ' R']);
  }

  private begin(): string {
    const { random } = this;
    const from = `10.0.0.${random.whole(5, 6)}:${random.whole(4240, 4247)}`;
    const to = random.pick([
      '198.51.100.7:53',
      '198.51.100.8:80',
      '10.0.0.6:4240',
      // Hairpins.
      `203.0.113.7:${random.whole(1024, 1032)}`,
      `203.0.113.1:${random.whole(1024, 1032)}`,
    ]);
    const transport = random.chance(0.5) ? 'udp' : `tcp${this.flags()}`;
    return `${from} > ${to} ${this.header()} ${transport}`;
  }

  private odd(): string {
    const { random } = this;
    return random.pick([
      '10.0.0.5 > 198.51.100.7 icmp echo id=7 seq=1',
      '10.0.0.5 > 10.0.0.1 icmp echo id=1 seq=1',
      '198.51.100.7:53 > 203.0.113.1:1053 udp',
      '198.51.100.7:53 > 203.0.113.99:1053 udp',
      '198.51.100.7:80 > 203.0.113.7:1040 tcp S',
      '10.0.0.5:4240 > 198.51.100.7:53 udp checksum=0',
      '10.0.0.5 > 198.51.100.7 proto=udp id=9 mf frag=0 hex="1092003500180000aabbccddeeff0011"',
      '10.0.0.5 > 198.51.100.7 proto=udp id=9 frag=16 hex="aabb"',
    ]);
  }
}

function damage(bytes: Uint8Array, random: Random): void {
  // Behind the link addresses, so that it still is for this station.
  const at = random.whole(12, Math.min(bytes.length, 60) - 1);
  bytes[at] = random.whole(0, 255);
}

/** Every record of a table, by key. */
function watch(harness: Harness, table: Table): () => string[] {
  const records = new Map<string, string>();
  sessionOf(harness.lane, table).scan(table, scanMilliseconds, (rows) => {
    for (let i = 0; i < rows.count; i++) {
      const row = Buffer.from(rows.bytes.subarray(i * rows.stride, (i + 1) * rows.stride));
      const key = row.toString('hex', recordRow.key, recordRow.timer);
      records.set(key, `${row[recordRow.timer]} ${row.toString('hex', recordRow.record)}`);
    }
  });
  return () => {
    records.clear();
    harness.advance(2 * scanMilliseconds);
    return [...records].map(([key, record]) => `${table.name} ${key}: ${record}`).sort();
  };
}
const scanMilliseconds = 20;

function bench(translation: 'kernels' | 'callback', isOpen: boolean) {
  way.isOpen = isOpen;
  const nf = nat({ ...options, translation });
  const harness = new Harness(nf, { ports, seed: 1 });
  const states = nf.tables.slice(0, 2).map((table) => watch(harness, table as Table));
  return { harness, state: () => states.flatMap((read) => read()) };
}

function compare(seed: number, translation: 'kernels' | 'callback'): void {
  const random = new Random(seed);
  const traffic = new Traffic(random);
  const open = bench(translation, true);
  const closed = bench(translation, false);
  using express = open.harness;
  using long = closed.harness;
  for (let round = 0; round < rounds; round++) {
    const pause = random.pick(pauses);
    const frames = Array.from({ length: random.whole(1, mostFrames) }, () => traffic.next());
    const [a, b] = [express, long].map((harness) => {
      for (const { port, bytes } of frames) harness.send(port, bytes);
      harness.advance(pause);
      return harness.outputs();
    }) as [Output[], Output[]];
    expect(a.map(show), `seed ${seed}, round ${round}`).toEqual(b.map(show));
    traffic.hear(a);
  }
  expect(open.state(), `seed ${seed}`).toEqual(closed.state());
  const { dropped, forwarded } = express.finish();
  expect(dropped).toEqual(long.finish().dropped);
  // Most of it goes through, both ways.
  expect(Math.min(...forwarded), `seed ${seed}`).toBeGreaterThan(rounds * 4);
}

const show = ({ port, frame }: Output) => `${port} ${Buffer.from(frame).toString('hex')}`;

describe.each(['kernels', 'callback'] as const)('the express way, translated by %s', (way) => {
  it.each([1, 2, 3, 4, 5, 6, 7, 8])('changes nothing about random traffic %i', (seed) => {
    compare(seed, way);
  });
});
