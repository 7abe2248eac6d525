import { describe, expect, it } from 'vitest';
import { compose, parts } from '../../../src/cli/composition.ts';
import { main } from '../../../src/cli/program.ts';
import { createVfs } from '../../../src/ports/vf/create.ts';
import { testConsole } from '../../cli/console.ts';
import { address, FakeCard, type FakeCardOptions } from './fake-card.ts';

const base = { pf: 'ens1f0', count: 2 };

async function rxnf(card: FakeCard, ...argv: string[]) {
  const { console, out, error } = testConsole();
  const container = compose();
  container.rebind(parts.console).toConstantValue(console);
  container.rebind(parts.vfMachine).toConstantValue(card);
  const status = await main(argv, container);
  return { status, out: out.text, error: error.text };
}

describe('rxnf vf create', () => {
  it('makes functions with a link, addresses and a driver, in the order that cards want', async () => {
    const card = new FakeCard();
    const { status, out } = await rxnf(
      ...[card, 'vf', 'create', 'ens1f0', '2', '--mac', '02:00:00:00:01:00,02:00:00:00:01:01'],
      ...['--vlan', '100', '--trust', 'on', '--spoofcheck', 'off'],
    );
    expect(status).toBe(0);
    expect(out).toMatch(/pci:0000:03:10\.1 +02:00:00:00:01:01 +100 +auto +on +off +vfio-pci +21\n/);
    expect(card.setWithoutCarrier).toBe(false);
    expect(card.isAutoprobing).toBe(true);
    const told = card.told.join('\n');
    expect(told).toMatch(
      /modprobe vfio-pci\n[\s\S]*autoprobe=0\n.*numvfs=2\n.*autoprobe=1\n[\s\S]*vf 0 mac/,
    );
  });

  it('makes up addresses, each of one station and locally administered', async () => {
    const made = await createVfs(new FakeCard(), { ...base, count: 8 });
    expect(new Set(made.map(({ mac }) => mac)).size).toBe(8);
    for (const { mac } of made) expect(mac).toMatch(/^.[26ae](:[\da-f]{2}){5}$/);
  });

  it('goes on without a link: the cable may be out', async () => {
    const card = new FakeCard({ carrierAfter: Number.NaN });
    expect(await createVfs(card, base)).toHaveLength(2);
  });

  const wrong: [string, FakeCardOptions, Parameters<typeof createVfs>[1], string, RegExp][] = [
    ['no such card', {}, { ...base, pf: 'eth9' }, 'ERR_VF_DEVICE', /eth9 .* name one of ens1f0/],
    [
      'a device without',
      {},
      { ...base, pf: '00:1f.0' },
      'ERR_VF_DEVICE',
      /no PCI address|no virtual/,
    ],
    ['too many', {}, { ...base, count: 9 }, 'ERR_VF_COUNT', /9 .* up to 8/],
    ['none', {}, { ...base, count: 0 }, 'ERR_VF_COUNT', /ask for 1 to 8/],
    [
      'too few addresses',
      {},
      { ...base, macs: ['02:00:00:00:00:01'] },
      'ERR_VF_OPTION',
      /1 addresses/,
    ],
    [
      'a group address',
      {},
      { ...base, count: 1, macs: ['01:00:5e:00:00:01'] },
      'ERR_VF_OPTION',
      /one station/,
    ],
    ['a VLAN', {}, { ...base, vlan: 4095 }, 'ERR_VF_OPTION', /1 to 4094/],
    ['no IOMMU', { iommu: false }, base, 'ERR_VF_IOMMU', /intel_iommu=on/],
    ['an unknown driver', {}, { ...base, driver: 'nope' }, 'ERR_VF_DRIVER', /no PCI driver nope/],
    [
      'no right to',
      { refused: { sriov_drivers_autoprobe: 'EACCES' } },
      base,
      'ERR_VF_PERMISSION',
      /root/,
    ],
    [
      'a card that refuses',
      { refused: { sriov_numvfs: 'ENOSPC' } },
      base,
      'ERR_VF_TOOL',
      /2 > .*numvfs.*ENOSPC/,
    ],
    ['an address refused', { failing: 'vf 1 mac' }, base, 'ERR_VF_TOOL', /vf 1 mac/],
    ['a driver that does not take it', { taking: [] }, base, 'ERR_VF_DRIVER', /is with no driver/],
  ];
  it.each(wrong)('says what is in the way, and leaves nothing behind: %s', async (...row) => {
    const [, options, asked, code, says] = row;
    const card = new FakeCard(options);
    await expect(createVfs(card, asked)).rejects.toThrow(says);
    await expect(createVfs(new FakeCard(options), asked)).rejects.toMatchObject({ code });
    expect(card.functions).toEqual([]);
    expect(card.isAutoprobing).toBe(true);
  });

  it('refuses a card that has some, and names what removes them', async () => {
    const card = new FakeCard();
    await createVfs(card, base);
    const { status, error } = await rxnf(card, 'vf', 'create', '0000:03:00.0', '1');
    expect(status).toBe(1);
    expect(error).toContain('To mend it: rxnf vf remove ens1f0');
    const child = await rxnf(card, 'vf', 'create', address(0), '1');
    expect(child.error).toContain('name 0000:03:00.0');
  });

  it('reports misuse with status 2', async () => {
    expect((await rxnf(new FakeCard(), 'vf', 'create', 'ens1f0', 'two')).status).toBe(2);
    const trust = await rxnf(new FakeCard(), 'vf', 'create', 'ens1f0', '1', '--trust', 'yes');
    expect(trust.status).toBe(2);
  });
});

describe('rxnf vf list', () => {
  it('shows every card, and its functions', async () => {
    const card = new FakeCard();
    expect((await rxnf(card, 'vf', 'list')).out).toBe(
      'ens1f0 (0000:03:00.0): 0 of 8 virtual functions\n',
    );
    await createVfs(card, base);
    const { out } = await rxnf(card, 'vf', 'list', 'ens1f0');
    expect(out).toContain('2 of 8 virtual functions');
    expect(out).toMatch(/pci:0000:03:10\.0 .* - +auto +off +on +vfio-pci +20\n/);
  });
});

describe('rxnf vf remove', () => {
  it('removes them all', async () => {
    const card = new FakeCard();
    await createVfs(card, base);
    expect((await rxnf(card, 'vf', 'remove', 'ens1f0')).out).toBe('2 virtual functions removed\n');
    expect(card.functions).toEqual([]);
  });

  it('refuses while a process has one, and names it', async () => {
    const card = new FakeCard({ holders: { '/dev/vfio/21': [4711] } });
    await createVfs(card, base);
    const { status, error } = await rxnf(card, 'vf', 'remove', 'ens1f0');
    expect(status).toBe(1);
    expect(error).toContain('0000:03:10.1 is in use by process 4711');
    expect(card.functions).toHaveLength(2);
  });
});
