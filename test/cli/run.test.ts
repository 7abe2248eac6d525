import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { BackgroundProcess } from '../../src/lab/background.ts';

const directory = mkdtempSync(join(tmpdir(), 'rxnf-run-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const root = fileURLToPath(new URL('../..', import.meta.url));

function start(device: string, lanes = 1, before: readonly string[] = []): BackgroundProcess {
  const file = join(directory, `nat-${lanes}.yaml`);
  writeFileSync(
    file,
    `lanes: ${lanes}
ports:
  inside:  { device: "${device}", mac: "02:00:00:99:00:01", addresses: [10.99.0.1/24] }
  outside: { device: "memory:", addresses: [198.18.0.1/24] }
nat: { inside: [inside], outside: outside, pool: [198.18.0.1] }
routes: [{ prefix: 0.0.0.0/0, via: 198.18.0.10, port: outside }]
`,
  );
  const main = join(root, 'src/cli/main.ts');
  const argv = [...before, process.execPath, '--conditions=source', main, 'run', file];
  return new BackgroundProcess(argv, { cwd: root });
}

function eventsOf(run: BackgroundProcess): Record<string, unknown>[] {
  return run.stdout
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line));
}

describe('rxnf run', () => {
  it.each([1, 2])('on %i lanes is ready, then sums up at SIGTERM', async (lanes) => {
    const run = start('capture:captures/clients.pcap,loop,rate=20000', lanes);
    await run.until('ready', 10, () => run.stdout.includes('"ready"'));
    await sleep(600);
    expect(await run.stop('SIGTERM', 8)).toEqual({ status: 0, signal: null });

    const events = eventsOf(run);
    expect(events.map(({ event }) => event)).toEqual(['ready', 'summary']);
    expect(events[0]).toEqual({
      event: 'ready',
      lanes,
      ports: {
        inside: { mac: '02:00:00:99:00:01', driver: 'capture', mtu: 1500, linkUp: true },
        outside: { mac: '02:00:00:00:00:02', driver: 'capture', mtu: 1500, linkUp: true },
      },
      warnings: [],
    });
    const summary = events[1] as Record<string, number> & { dropped: Record<string, number> };
    expect(summary).toMatchObject({ conserved: true, held: 0, failedLanes: [] });
    expect(summary['received']).toBeGreaterThan(5000);
    expect(summary['forwarded']).toBeGreaterThan(1000);
    expect(summary['flows']).toBeGreaterThan(50);
    expect(summary.dropped, 'every reason is there').toHaveProperty('bad-checksum', 0);
    expect(summary['droppedByReason']).not.toHaveProperty('bad-checksum');
    expect(summary['latencyMicroseconds']).toMatchObject({ p50: expect.any(Number) });
    const dropped = Object.values(summary.dropped).reduce((sum, count) => sum + count);
    expect(Number(summary['received']) + Number(summary['originated'])).toBe(
      Number(summary['forwarded']) + dropped,
    );
  });

  it('sums up by itself when its captures have run dry', async () => {
    const run = start('capture:captures/clients.pcap');
    expect(await run.ended, run.stderr).toEqual({ status: 0, signal: null });
    expect(eventsOf(run).map(({ event }) => event)).toEqual(['ready', 'summary']);
  });

  it('rests while nothing comes', async () => {
    // A packet a second; the shell tells its own process number before it becomes the instance.
    const run = start('capture:captures/clients.pcap,loop,rate=1', 1, ['sh', '-c', shellWithPid]);
    await run.until('ready', 10, () => run.stdout.includes('"ready"'));
    const pid = Number.parseInt(run.stderr, 10);
    const before = cpuSeconds(pid);
    await sleep(2000);
    const used = cpuSeconds(pid) - before;
    await run.stop('SIGTERM', 8);
    expect(used, 'CPU seconds in 2 s').toBeLessThan(0.6);
  });
});

const shellWithPid = 'echo $$ >&2; exec "$0" "$@"';

/** User and system time of a process so far (proc(5), fields 14 and 15, in ticks of 10 ms). */
function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / 100;
}
