import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { compose, parts } from '../../src/cli/composition.ts';
import { main } from '../../src/cli/program.ts';
import { testConsole } from './console.ts';

const directory = mkdtempSync(join(tmpdir(), 'rxnf-cli-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

async function rxnf(...argv: string[]) {
  const { console, out, error } = testConsole();
  const container = compose();
  container.rebind(parts.console).toConstantValue(console);
  const status = await main(argv, container);
  return { status, out: out.text, error: error.text };
}

describe('rxnf', () => {
  it('tells its version', async () => {
    const { status, out } = await rxnf('--version');
    expect(status).toBe(0);
    expect(out).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  it('lists its commands', async () => {
    const { status, out } = await rxnf('--help');
    expect(status).toBe(0);
    for (const command of ['run <config>', 'demo', 'doctor', 'ports'])
      expect(out).toContain(command);
  });

  it.each([
    [['bogus'], "unknown command 'bogus'"],
    [['run', '--fast', 'x'], "unknown option '--fast'"],
    [['run'], "missing required argument 'config'"],
    [['run', 'a', 'b'], 'too many arguments'],
  ])('refuses %j with status 2 and where help is', async (argv, says) => {
    const { status, error } = await rxnf(...argv);
    expect(status).toBe(2);
    expect(error).toContain(says);
    expect(error).toContain('rxnf --help');
  });

  it('names a configuration that is not there', async () => {
    expect(await rxnf('run', '/no/such.yaml')).toEqual({
      status: 1,
      out: '',
      error: 'rxnf: /no/such.yaml: no such file\n',
    });
  });

  it('names the line, the field, what was found and the mend', async () => {
    const file = join(directory, 'nat.yaml');
    writeFileSync(
      file,
      `ports:
  inside:  { device: "capture:/no/such.pcap", addresses: [10.99.0.1/24] }
  outside: { device: "floppy:a", addresses: [198.18.0.1/24] }
nat: { inside: [inside], outside: outside, pool: [198.18.0.1] }
`,
    );
    const unknown = await rxnf('run', file);
    expect(unknown.status).toBe(1);
    expect(unknown.out).toBe('');
    expect(unknown.error).toContain(`${file}:3: ports.outside.device: "floppy:a" begins with no`);
    expect(unknown.error).toContain('mend: begin it with one of pci:');
  });

  it('says where a mistake of its own was made', async () => {
    const container = compose();
    const { console, error } = testConsole();
    container.rebind(parts.console).toConstantValue(console);
    container.rebind(parts.probes).toDynamicValue(() => {
      throw new TypeError('broken probe');
    });
    expect(await main(['ports'], container)).toBe(1);
    expect(error.text).toMatch(/broken probe[\s\S]*\n\s+at /);
  });
});
