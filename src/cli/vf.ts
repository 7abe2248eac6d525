/** `rxnf vf`: makes, shows and removes virtual functions of SR-IOV network cards. */
import type { Writable } from 'node:stream';
import { type Command, InvalidArgumentError } from 'commander';
import { createVfs } from '../ports/vf/create.ts';
import {
  allPhysicalFunctions,
  physicalFunction,
  type VirtualFunction,
  virtualFunctions,
} from '../ports/vf/functions.ts';
import type { VfMachine } from '../ports/vf/machine.ts';
import { removeVfs } from '../ports/vf/remove.ts';
import { writeTable } from './table.ts';

interface CreateOptions {
  readonly mac?: string[];
  readonly driver: string;
  readonly vlan?: number;
  readonly trust?: boolean;
  readonly spoofcheck?: boolean;
}

export function addVfCommands(program: Command, out: Writable, machine: () => VfMachine): void {
  const vf = program.command('vf').description('look after virtual functions of network cards');
  const card = ['<card>', 'its interface or PCI address: ens1f0, 0000:03:00.0'] as const;
  vf.command('create')
    .description('make virtual functions, ready to be ports; all or none')
    .argument(...card)
    .argument('<number>', 'how many', whole)
    .option('--mac <addresses>', 'one for each, with commas between (default: made up)', list)
    .option('--driver <name>', 'who gets them', 'vfio-pci')
    .option('--vlan <id>', 'tagged and stripped by the card', whole)
    .option('--trust <on|off>', 'may they change their address and be promiscuous', onOff)
    .option('--spoofcheck <on|off>', 'drop what they send from another address', onOff)
    .action(async (pf: string, count: number, options: CreateOptions) => {
      const { mac, driver, vlan, trust, spoofcheck } = options;
      const made = await createVfs(machine(), {
        pf,
        count,
        driver,
        ...(mac !== undefined && { macs: mac }),
        ...(vlan !== undefined && { vlan }),
        ...(trust !== undefined && { trust }),
        ...(spoofcheck !== undefined && { spoofCheck: spoofcheck }),
      });
      writeFunctions(out, made);
    });
  vf.command('list')
    .description('the virtual functions of a card, or of all')
    .argument('[card]', card[1])
    .action((name?: string) => {
      const on = machine();
      const pfs = name === undefined ? allPhysicalFunctions(on) : [physicalFunction(on, name)];
      if (pfs.length === 0) out.write('no card here has virtual functions\n');
      for (const pf of pfs) {
        const at = pf.interface === undefined ? pf.address : `${pf.interface} (${pf.address})`;
        out.write(`${at}: ${pf.count} of ${pf.most} virtual functions\n`);
        if (pf.count > 0) writeFunctions(out, virtualFunctions(on, pf));
      }
    });
  vf.command('remove')
    .description('remove all virtual functions of a card, if nobody uses one')
    .argument(...card)
    .action((name: string) => {
      out.write(`${removeVfs(machine(), name)} virtual functions removed\n`);
    });
}

function writeFunctions(out: Writable, functions: readonly VirtualFunction[]): void {
  writeTable(
    out,
    ['device', 'MAC', 'VLAN', 'link', 'trust', 'spoofcheck', 'driver', 'IOMMU group'],
    functions.map((each) => [
      `pci:${each.address}`,
      each.mac ?? '?',
      each.vlan === undefined ? '-' : String(each.vlan),
      each.link ?? '?',
      word(each.trust),
      word(each.spoofCheck),
      each.driver ?? 'none',
      each.iommuGroup ?? 'none',
    ]),
  );
}

const word = (on: boolean | undefined) => ({ true: 'on', false: 'off', undefined: '?' })[`${on}`];

function whole(text: string): number {
  if (!/^\d{1,5}$/.test(text)) throw new InvalidArgumentError('not a whole number');
  return Number(text);
}

function list(text: string): string[] {
  return text.split(',');
}

function onOff(text: string): boolean {
  if (text !== 'on' && text !== 'off') throw new InvalidArgumentError('write on or off');
  return text === 'on';
}
