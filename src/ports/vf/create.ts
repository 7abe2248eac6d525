/**
 * Makes virtual functions and gives them to a driver: all of them, or none.
 *
 * The order is that of what cards want: the link first, as some forget what is set before they have
 * one; the kernel's own driver for virtual functions kept away, as it asks the card at once and some
 * cards then stop answering; addresses before anybody opens a function, as it reads them once.
 */
import { randomBytes } from 'node:crypto';
import { userspace } from '../drivers.ts';
import { VfError } from './error.ts';
import {
  devices,
  type PhysicalFunction,
  physicalFunction,
  type VirtualFunction,
  virtualFunctions,
} from './functions.ts';
import { tell, type VfMachine } from './machine.ts';

export interface VfOptions {
  /** Interface or PCI address. */
  readonly pf: string;
  readonly count: number;
  /** One for each, or none: then they are made up, locally administered. */
  readonly macs?: readonly string[];
  /** Default `vfio-pci`. */
  readonly driver?: string;
  /** 1 to 4094: tagged and stripped by the card. */
  readonly vlan?: number;
  /** May a function change its address and be promiscuous? Default: as the card has it. */
  readonly trust?: boolean;
  /** Does the card drop frames from another address? Default: as the card has it. */
  readonly spoofCheck?: boolean;
}

const carrierMilliseconds = 5000;
const appearMilliseconds = 5000;
const bindMilliseconds = 5000;
const tick = 50;

/** @throws {VfError}; what was made until then is undone */
export async function createVfs(
  machine: VfMachine,
  options: VfOptions,
): Promise<VirtualFunction[]> {
  const { driver = 'vfio-pci' } = options;
  const pf = physicalFunction(machine, options.pf);
  check(machine, pf, options, driver);
  loadDriver(machine, driver);
  machine.run('ip', 'link', 'set', pf.interface as string, 'up');
  await carrier(machine, pf);
  try {
    await make(machine, pf, options.count);
    await carrier(machine, pf);
    const macs = options.macs ?? Array.from({ length: options.count }, randomMac);
    const made = { ...pf, count: options.count };
    macs.forEach((mac, index) => {
      configure(machine, made, index, mac, options);
    });
    for (const { address } of virtualFunctions(machine, made)) await bind(machine, address, driver);
    return virtualFunctions(machine, made);
  } catch (error) {
    undo(machine, pf);
    throw error;
  }
}

/** As far as it goes: what went wrong first is what is told. */
function undo(machine: VfMachine, { path }: PhysicalFunction): void {
  try {
    tell(machine, `${path}/sriov_numvfs`, '0');
  } catch (error) {
    if (!(error instanceof VfError)) throw error;
  }
}

function check(
  machine: VfMachine,
  pf: PhysicalFunction,
  { count, macs, vlan }: VfOptions,
  driver: string,
): void {
  const name = pf.interface ?? pf.address;
  if (!(Number.isInteger(count) && count >= 1 && count <= pf.most)) {
    throw new VfError(
      'ERR_VF_COUNT',
      `${count} virtual functions of ${name}, which has up to ${pf.most}`,
      `ask for 1 to ${pf.most}`,
    );
  }
  if (pf.count > 0) {
    throw new VfError(
      'ERR_VF_COUNT',
      `${name} has ${pf.count} virtual functions already, and a card's number of them is set once`,
      `rxnf vf remove ${name}`,
    );
  }
  if (pf.interface === undefined) {
    throw new VfError(
      'ERR_VF_DEVICE',
      `${name} is not with the kernel's network driver, which sets up its virtual functions`,
      `echo ${pf.address} > /sys/bus/pci/drivers_probe`,
    );
  }
  if (macs !== undefined && macs.length !== count) {
    throw new VfError(
      'ERR_VF_OPTION',
      `${macs.length} addresses for ${count} virtual functions`,
      'give each one, with commas between, or none',
    );
  }
  for (const mac of macs ?? []) {
    if (!isUnicast(mac)) {
      throw new VfError(
        'ERR_VF_OPTION',
        `${mac} is no address of one station`,
        'write six bytes in hex, the first even: 02:00:00:00:01:00',
      );
    }
  }
  if (vlan !== undefined && !(Number.isInteger(vlan) && vlan >= 1 && vlan <= 4094))
    throw new VfError('ERR_VF_OPTION', `VLAN ${vlan}`, 'write 1 to 4094 (IEEE 802.1Q)');
  if (driver === 'vfio-pci' && machine.entries('/sys/kernel/iommu_groups').length === 0) {
    throw new VfError(
      'ERR_VF_IOMMU',
      'there is no IOMMU, and vfio-pci hands out nothing without one',
      'boot with intel_iommu=on iommu=pt (AMD: iommu=pt), and turn it on in the firmware',
    );
  }
}

function isUnicast(mac: string): boolean {
  if (!/^[\da-f]{2}(:[\da-f]{2}){5}$/i.test(mac)) return false;
  const first = Number.parseInt(mac.slice(0, 2), 16);
  return (first & 1) === 0 && !/^00(:00){5}$/.test(mac);
}

/** IEEE 802: locally administered, one station. */
function randomMac(): string {
  const bytes = [...randomBytes(6)];
  bytes[0] = ((bytes[0] as number) & 0xfc) | 2;
  return bytes.map((byte) => byte.toString(16).padStart(2, '0')).join(':');
}

function loadDriver(machine: VfMachine, driver: string): void {
  const path = `/sys/bus/pci/drivers/${driver}`;
  if (machine.exists(path)) return;
  if (userspace.has(driver)) machine.run('modprobe', driver);
  if (machine.exists(path)) return;
  throw new VfError(
    'ERR_VF_DRIVER',
    `there is no PCI driver ${driver}`,
    `modprobe ${driver}, or --driver vfio-pci`,
  );
}

/** Waits for the link, or long enough to know that the cable is out: then there is none to wait for. */
async function carrier(machine: VfMachine, pf: PhysicalFunction): Promise<void> {
  const path = `/sys/class/net/${pf.interface}/carrier`;
  await until(machine, carrierMilliseconds, () => machine.text(path) === '1');
}

async function make(machine: VfMachine, pf: PhysicalFunction, count: number): Promise<void> {
  const autoprobe = `${pf.path}/sriov_drivers_autoprobe`;
  const before = machine.text(autoprobe) ?? '1';
  tell(machine, autoprobe, '0');
  try {
    tell(machine, `${pf.path}/sriov_numvfs`, String(count));
  } finally {
    tell(machine, autoprobe, before);
  }
  const last = `${pf.path}/virtfn${count - 1}`;
  if (await until(machine, appearMilliseconds, () => machine.exists(last))) return;
  throw new VfError(
    'ERR_VF_TOOL',
    `${pf.address} was told to make ${count} virtual functions, and has not`,
    'see `dmesg | tail`: the firmware may have left no room for them (pci=realloc)',
  );
}

function configure(
  machine: VfMachine,
  pf: PhysicalFunction,
  index: number,
  mac: string,
  { vlan, trust, spoofCheck }: VfOptions,
): void {
  const set = (...words: string[]) =>
    machine.run('ip', 'link', 'set', pf.interface as string, 'vf', String(index), ...words);
  set('mac', mac);
  if (vlan !== undefined) set('vlan', String(vlan));
  if (trust !== undefined) set('trust', trust ? 'on' : 'off');
  if (spoofCheck !== undefined) set('spoofchk', spoofCheck ? 'on' : 'off');
}

async function bind(machine: VfMachine, address: string, driver: string): Promise<void> {
  const path = `${devices}/${address}`;
  const bound = () => machine.target(`${path}/driver`)?.split('/').at(-1);
  tell(machine, `${path}/driver_override`, driver);
  if (bound() !== undefined && bound() !== driver) tell(machine, `${path}/driver/unbind`, address);
  if (bound() === undefined) tell(machine, '/sys/bus/pci/drivers_probe', address);
  if (await until(machine, bindMilliseconds, () => bound() === driver)) return;
  throw new VfError(
    'ERR_VF_DRIVER',
    `${address} is with ${bound() ?? 'no driver'}: ${driver} did not take it`,
    'see `dmesg | tail`',
  );
}

async function until(
  machine: VfMachine,
  milliseconds: number,
  holds: () => boolean,
): Promise<boolean> {
  for (let waited = 0; !holds(); waited += tick) {
    if (waited >= milliseconds) return false;
    await machine.wait(tick);
  }
  return true;
}
