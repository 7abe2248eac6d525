/** A machine with one card, whose /sys and `ip` behave as a kernel's do; what is told it is recorded. */
import { VfError } from '../../../src/ports/vf/error.ts';
import type { VfMachine } from '../../../src/ports/vf/machine.ts';

const pf = '/sys/bus/pci/devices/0000:03:00.0';
const link = '/sys/class/net/ens1f0';

export interface FakeCardOptions {
  readonly most?: number;
  /** Files that may not be written, with the error's code. */
  readonly refused?: Readonly<Record<string, string>>;
  /** Words of an `ip` command that fails. */
  readonly failing?: string;
  readonly iommu?: boolean;
  /** Milliseconds until a link is up after it was set up; undefined: never. */
  readonly carrierAfter?: number;
  /** Drivers that take a function when asked. */
  readonly taking?: readonly string[];
  readonly holders?: Readonly<Record<string, readonly number[]>>;
}

interface FakeFunction {
  mac: string;
  vlan: number;
  trust: boolean;
  spoofchk: boolean;
  override: string;
  driver: string | undefined;
}

export class FakeCard implements VfMachine {
  /** In order: `path=text`, and commands. */
  readonly told: string[] = [];
  functions: FakeFunction[] = [];
  /** Set when an address was given to a function before there was a link. */
  setWithoutCarrier = false;
  private readonly options: FakeCardOptions;
  private autoprobe = '1';
  private now = 0;
  private upAt = Number.POSITIVE_INFINITY;
  private modules = new Set<string>();

  constructor(options: FakeCardOptions = {}) {
    this.options = { most: 8, iommu: true, carrierAfter: 300, taking: ['vfio-pci'], ...options };
  }

  get isAutoprobing(): boolean {
    return this.autoprobe === '1';
  }

  exists(path: string): boolean {
    if (path === pf) return true;
    if (path.startsWith('/sys/bus/pci/drivers/')) return this.modules.has(path.slice(21));
    return this.indexOf(path) !== undefined;
  }

  entries(path: string): string[] {
    if (path === '/sys/bus/pci/devices')
      return ['0000:00:1f.0', '0000:03:00.0', ...this.functions.map((_, i) => address(i))];
    if (path === `${pf}/net`) return ['ens1f0'];
    if (path === '/sys/kernel/iommu_groups') return this.options.iommu ? ['0', '1'] : [];
    return [];
  }

  text(path: string): string | undefined {
    if (path === `${pf}/sriov_totalvfs`) return String(this.options.most);
    if (path === `${pf}/sriov_numvfs`) return String(this.functions.length);
    if (path === `${pf}/sriov_drivers_autoprobe`) return this.autoprobe;
    if (path === `${link}/carrier`) return this.carrier ? '1' : '0';
    return undefined;
  }

  target(path: string): string | undefined {
    if (path === `${link}/device`) return pf;
    const index = this.indexOf(path);
    if (index === undefined) return undefined;
    if (path.endsWith('/driver')) {
      const { driver } = this.functions[index] as FakeFunction;
      return driver && `/sys/bus/pci/drivers/${driver}`;
    }
    if (path.endsWith('/iommu_group')) return `/sys/kernel/iommu_groups/${20 + index}`;
    return path.endsWith('/physfn') ? pf : `/sys/bus/pci/devices/${address(index)}`;
  }

  write(path: string, text: string): void {
    this.told.push(`${path}=${text}`);
    const name = path.split('/').at(-1) as string;
    const code = name === 'sriov_numvfs' && text === '0' ? undefined : this.options.refused?.[name];
    if (code !== undefined) throw Object.assign(new Error(`${code}: no`), { code });
    if (path === `${pf}/sriov_drivers_autoprobe`) this.autoprobe = text;
    else if (path === `${pf}/sriov_numvfs`) this.make(Number(text));
    else if (path.endsWith('/driver_override')) this.at(path).override = text;
    else if (path.endsWith('/unbind')) this.at(path).driver = undefined;
    else if (path === '/sys/bus/pci/drivers_probe') {
      const found = this.functions[Number(text.split('.')[1])] as FakeFunction;
      if (this.options.taking?.includes(found.override)) found.driver = found.override;
    }
  }

  run(tool: string, ...words: readonly string[]): string {
    const command = [tool, ...words].join(' ');
    this.told.push(command);
    const { failing } = this.options;
    if (failing !== undefined && command.includes(failing))
      throw new VfError('ERR_VF_TOOL', `${command}: refused`, 'see `dmesg | tail`');
    if (tool === 'modprobe') this.modules.add(words[0] as string);
    if (words.includes('-json')) return this.shown();
    if (words.at(-1) === 'up') this.upAt = this.now + (this.options.carrierAfter ?? Number.NaN);
    if (words[3] === 'vf') this.set(words.slice(4));
    return '';
  }

  holders(path: string): number[] {
    return [...(this.options.holders?.[path] ?? [])];
  }

  async wait(milliseconds: number): Promise<void> {
    this.now += milliseconds;
  }

  private get carrier(): boolean {
    return this.now >= this.upAt;
  }

  private make(count: number): void {
    this.functions = Array.from({ length: count }, () => ({
      mac: '00:00:00:00:00:00',
      vlan: 0,
      trust: false,
      spoofchk: true,
      override: '',
      driver: this.isAutoprobing ? 'igbvf' : undefined,
    }));
    this.upAt = this.now + (this.options.carrierAfter ?? Number.NaN); // the link comes up anew
  }

  private set([index, name, value]: readonly string[]): void {
    const found = this.functions[Number(index)] as FakeFunction;
    if (name === 'mac') {
      found.mac = value as string;
      this.setWithoutCarrier ||= !this.carrier;
    } else if (name === 'vlan') found.vlan = Number(value);
    else if (name === 'trust') found.trust = value === 'on';
    else found.spoofchk = value === 'on';
  }

  private shown(): string {
    const vfinfo_list = this.functions.map(({ mac, vlan, trust, spoofchk }, vf) => ({
      ...{ vf, address: mac, link_state: 'auto', trust, spoofchk },
      vlan_list: [{ vlan }],
    }));
    return JSON.stringify([{ ifname: 'ens1f0', vfinfo_list }]);
  }

  private indexOf(path: string): number | undefined {
    const [, by, at] = /virtfn(\d+)|0000:03:10\.(\d)/.exec(path) ?? [];
    const index = Number(by ?? at ?? Number.NaN);
    return index < this.functions.length ? index : undefined;
  }

  private at(path: string): FakeFunction {
    return this.functions[this.indexOf(path) as number] as FakeFunction;
  }
}

export const address = (index: number) => `0000:03:10.${index}`;
