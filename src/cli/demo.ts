/**
 * `rxnf demo`, which is `npm start`: the NAT over recorded clients' traffic, both directions, on
 * memory ports. It needs no root, NIC or DPDK.
 *
 * First as the clients lived it: every packet of theirs leaves translated, their servers answer to the
 * translation that they see, and every answer must come back as it was recorded. Then the outward
 * packets alone, for the speed of one core. At last two instances, of which one is killed.
 */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import Table from 'cli-table3';
import { nat } from '../nfs/nat/nat.ts';
import { feedOf } from '../ports/capture-feed.ts';
import type { Probes } from '../ports/probes.ts';
import { sharedStore } from '../state/shared-store.ts';
import type { Store } from '../state/store.ts';
import { captureOf, replayClients } from '../testing/replay.ts';
import { parseIpv4 } from '../wire/address.ts';
import { type Capture, packetAt, readCapture } from '../wire/capture.ts';
import { writeCapture } from '../wire/capture-writer.ts';
import type { Console } from './console.ts';
import { DemoKill } from './demo-kill.ts';
import { demoSummary, nextSteps, rowOf, speedRow } from './demo-report.ts';
import { DemoSpeed } from './demo-speed.ts';
import { DemoTotals } from './demo-totals.ts';
import { formatCount } from './live-table.ts';

const captureFile = fileURLToPath(new URL('../../captures/clients.pcap', import.meta.url));
const sharedMemory = '/dev/shm';
const outputFile = 'out/translated.pcap';
/** Link address of the router that the clients were recorded behind; here the NAT's. */
const routerMac = Uint8Array.of(0x02, 0, 0, 0x99, 0, 0x01);

const natOptions = {
  inside: ['inside'],
  outside: 'outside',
  interfaces: {
    inside: [{ address: ipv4('10.99.0.1'), length: 24 }],
    outside: [{ address: ipv4('198.18.0.1'), length: 24 }],
  },
  pool: [ipv4('198.18.0.1')],
  routes: [{ address: 0, length: 0, port: 'outside', via: ipv4('198.18.0.10') }],
};

export interface DemoOptions {
  /** How long the clients' traffic is repeated. Default 5. */
  readonly replaySeconds?: number;
  /** How long the outward packets are. Default 2. */
  readonly speedSeconds?: number;
  /** Where the translated capture is written. Default out/translated.pcap. */
  readonly output?: string;
  /** False: the kill is over the replay, whatever could be had. Default true. */
  readonly live?: boolean;
}

export class DemoCommand {
  private readonly console: Console;
  private readonly probes: Probes;
  private drawnAt = performance.now();

  constructor(console: Console, probes: Probes) {
    this.console = console;
    this.probes = probes;
  }

  /** @returns the exit status: 1 where a packet was lost or came out wrong */
  async run(options: DemoOptions = {}): Promise<number> {
    const { replaySeconds = 5, speedSeconds = 2, output = outputFile } = options;
    const capture = readCapture(new Uint8Array(readFileSync(captureFile)));
    const memory = mkdtempSync(
      join(existsSync(sharedMemory) ? sharedMemory : tmpdir(), 'rxnf-demo-'),
    );
    const newStore = () => sharedStore({ path: mkdtempSync(join(memory, 'store-')) });
    const store = newStore();
    const outward = feedOf(outwardPackets(capture), { kind: 'unpaced' });
    // Open from the beginning: the mappings live in the store as long as a lane holds it.
    const speed = new DemoSpeed(nat(natOptions), store, outward, routerMac);
    try {
      this.console.print(
        `A NAT over ${formatCount(capture.count)} recorded frames of real clients, whose servers are acted: they answer to\nthe translations that they see. External address 198.18.0.1, state in shared memory, one lane.\n`,
      );
      const totals = this.replay(capture, store, replaySeconds, output);
      this.measure(speed, speedSeconds, totals);
      const hasDpdk = this.probes.dpdk() !== undefined;
      this.console.print(`\n${demoSummary(totals, speed, output)}`);
      const canBeLive = hasDpdk && options.live !== false;
      const survived = await new DemoKill(this.console).run(
        nat(natOptions),
        newStore,
        capture,
        canBeLive,
      );
      this.console.print(`\n${nextSteps(output, hasDpdk)}`);
      const isRight = totals.missing + totals.malformed === 0 && totals.conserved && survived;
      return isRight ? 0 : 1;
    } finally {
      speed.close();
      rmSync(memory, { recursive: true, force: true });
    }
  }

  /** Passes over the whole capture until the time is over; the first one's packets are written. */
  private replay(capture: Capture, store: Store, seconds: number, output: string): DemoTotals {
    const totals = new DemoTotals();
    const end = performance.now() + seconds * 1000;
    do {
      const result = replayClients(nat(natOptions), capture, {
        store,
        debug: false,
        timing: 'fast',
        onProgress: (progress) => this.show(totals.with(progress)),
      });
      totals.add(result);
      if (totals.passes === 1) {
        mkdirSync(dirname(output), { recursive: true });
        writeFileSync(output, captureOf(result.outputs, undefined, firstTime(capture)));
      }
    } while (performance.now() < end);
    return totals;
  }

  private measure(speed: DemoSpeed, seconds: number, totals: DemoTotals): void {
    const warm = performance.now() + 200;
    while (performance.now() < warm) speed.step();
    speed.restart();
    const end = performance.now() + seconds * 1000;
    while (performance.now() < end) {
      speed.step();
      this.show(totals, speed);
    }
    this.console.settle();
  }

  /** Ten times a second on a terminal, once a second elsewhere. */
  private show(totals: DemoTotals, speed?: DemoSpeed): void {
    const now = performance.now();
    const { console } = this;
    if (now - this.drawnAt < (console.out.isTTY ? 100 : 1000)) return;
    this.drawnAt = now;
    const head = ['', 'packets in', 'out', 'flows', 'dropped', 'one lane'];
    const rows = [rowOf('both ways, servers acted', totals)];
    if (speed) rows.push(speedRow(speed));
    if (console.out.isTTY) {
      const table = new Table({ head, style: { head: [], border: [] } });
      table.push(...rows);
      console.draw(table.toString(), console.out);
    } else {
      const row = rows.at(-1) as string[];
      console.print(row.map((cell, i) => `${head[i]} ${cell}`.trim()).join('  '));
    }
  }
}

/** The IPv4 frames that clients sent to the router. */
function outwardPackets(capture: Capture): Capture {
  const frames = Array.from({ length: capture.count }, (_, i) => packetAt(capture, i)).filter(
    (frame) =>
      routerMac.every((byte, i) => frame[i] === byte) && frame[12] === 0x08 && frame[13] === 0x00,
  );
  return readCapture(writeCapture(frames));
}

function firstTime(capture: Capture): bigint {
  return capture.timestampsNanoseconds[0] ?? 0n;
}

function ipv4(text: string): number {
  const address = parseIpv4(text);
  if (address === undefined) throw new RangeError(`${text} is not an address`);
  return address;
}
