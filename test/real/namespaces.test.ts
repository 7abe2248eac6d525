import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { clearLeftovers, Namespaces } from '../../src/lab/namespaces.ts';
import { lacking } from './lab.ts';

const missing = lacking();
const modulePath = fileURLToPath(new URL('../../src/lab/namespaces.ts', import.meta.url));

describe.skipIf(missing.length > 0)('network namespaces of a test', () => {
  const opened: Namespaces[] = [];
  afterEach(async () => {
    for (const it of opened.splice(0)) await it.close();
  });
  const open = (roles: string[]): Namespaces => {
    const namespaces = new Namespaces(roles);
    opened.push(namespaces);
    return namespaces;
  };

  it('end with all that runs in them', async () => {
    const namespaces = open(['one']);
    const name = namespaces.name('one');
    // The shell's child outlives it, as a server's workers might.
    const shell = namespaces.start('one', ['sh', '-c', 'sleep 600 & echo $!; wait']);
    const sleeper = Number(await shell.until('a pid', 5, () => /^(\d+)\n/.exec(shell.stdout)?.[1]));
    expect(alive(sleeper)).toBe(true);
    await namespaces.close();
    expect(listed()).not.toContain(name);
    expect(alive(sleeper)).toBe(false);
  });

  it('end with a process that exits without closing them', () => {
    const name = inChild('process.exit(3);', 3);
    expect(listed()).not.toContain(name);
  });

  it('of a killed process are cleared by the next, those of a living one are not', () => {
    const mine = open(['one']).name('one');
    const name = inChild("process.kill(process.pid, 'SIGKILL');", null);
    expect(listed()).toContain(name);
    expect(clearLeftovers()).toContain(name);
    expect(listed()).not.toContain(name);
    expect(listed()).toContain(mine);
  });

  it('report a command that fails, and end one that takes too long', async () => {
    const namespaces = open(['one']);
    await expect(namespaces.must('one', ['sh', '-c', 'echo why >&2; exit 4'])).rejects.toThrow(
      /exit 4\s+why/,
    );
    const result = await namespaces.run('one', ['sleep', '60'], { limitSeconds: 0.2 });
    expect(result).toMatchObject({ status: null, timedOut: true });
  });

  it('have offloads off, so that frames are as on a wire', async () => {
    const namespaces = open(['one', 'two']);
    namespaces.link(
      { role: 'one', device: 'a', mac: '02:00:00:00:00:01', addresses: ['10.0.0.1/24'] },
      { role: 'two', device: 'b', mac: '02:00:00:00:00:02', addresses: ['10.0.0.2/24'] },
    );
    for (const [role, device] of [
      ['one', 'a'],
      ['two', 'b'],
    ] as const) {
      const features = await namespaces.must(role, ['ethtool', '-k', device]);
      for (const feature of [
        'tx-checksumming',
        'tcp-segmentation-offload',
        'generic-receive-offload',
      ]) {
        expect(features).toMatch(new RegExp(`^${feature}: off`, 'm'));
      }
    }
  });
});

/** Runs a child that makes a namespace, prints its name and ends by `ending`. */
function inChild(ending: string, status: number | null): string {
  const source = `import { Namespaces } from ${JSON.stringify(modulePath)};
    const { writeSync } = await import('node:fs');
    writeSync(1, new Namespaces(['orphan']).name('orphan')); ${ending}`;
  const child = spawnSync(process.execPath, ['--input-type=module', '-e', source], {
    encoding: 'utf8',
    timeout: 20_000,
  });
  expect(child.status, child.stderr).toBe(status);
  expect(child.stdout).toMatch(/^rxnf-\d+-0-orphan$/);
  return child.stdout;
}

function listed(): string {
  return spawnSync('ip', ['netns', 'list'], { encoding: 'utf8' }).stdout;
}

/** A killed process may stay a zombie for as long as its new parent likes. */
function alive(pid: number): boolean {
  const { stdout } = spawnSync('ps', ['-o', 'stat=', '-p', String(pid)], { encoding: 'utf8' });
  return stdout.trim() !== '' && !stdout.startsWith('Z');
}
